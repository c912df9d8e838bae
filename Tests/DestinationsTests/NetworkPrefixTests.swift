// SPDX-License-Identifier: Apache-2.0
import Destinations
import Glibc
import Testing

@Suite("Networks")
struct NetworkPrefixTests {
    private static func read(_ text: String) -> Result<NetworkPrefix, NetworkPrefix.Failure> {
        do throws(NetworkPrefix.Failure) { return .success(try NetworkPrefix(text)) } catch {
            return .failure(error)
        }
    }

    /// The C library's opinion (inet_pton(3)).
    private static func reference(_ text: String, _ family: Int32, bytes count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    private static let texts = [
        "10.0.0.5", "0.0.0.0", "255.255.255.255", "256.0.0.1", "1.2.3", "1.2.3.4.5", "1.2.3.04",
        "1..2.3", "1.2.3.", ".1.2.3", "1.2.3.4 ", "+1.2.3.4", "1.2.3.a", "", ".", "1", "localhost",
        "::", "::1", "1::", "fd00::1", "fe80::1:2", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4::5:6:7:8", "1::2::3",
        ":::", ":1", "1:", ":1::", "::1:", "12345::", "g::", "::ffff:10.0.0.5",
        "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5", "1.2.3.4::", "::1.2.3",
        "FD00::ABCD", "fe80::1%eth0", "::0001", "::00001", "1:2:3:4:5:6:7:8::", "::1.2.3.256",
        "[::1]", "-1::", "+1::", "0x1::",
    ]

    @Test("An address is read as the C library reads it", arguments: texts)
    func address(text: String) throws {
        let four = Self.reference(text, AF_INET, bytes: 4)
        let six = Self.reference(text, AF_INET6, bytes: 16)
        switch Self.read(text) {
        case .success(let network):
            #expect(network.bytes == four ?? six)
            #expect(network.length == network.family.bits)
            #expect(network.family == (four == nil ? .version6 : .version4))
        case .failure(let failure):
            #expect(four == nil && six == nil)
            #expect(failure == .address)
        }
    }

    @Test("A length is read up to the address's bits")
    func lengths() throws {
        for length in 0...32 { #expect(try NetworkPrefix("0.0.0.0/\(length)").length == length) }
        for length in 0...128 { #expect(try NetworkPrefix("::/\(length)").length == length) }
        for text in ["/33", "/-1", "/", "/08", "/+8", "/8/8", "/ 8", "/a", "/99999999999999999999"]
        {
            #expect(Self.read("0.0.0.0\(text)") == .failure(.length), "\(text)")
        }
        #expect(Self.read("::/129") == .failure(.length))
        #expect(Self.read("/8") == .failure(.address))
        #expect(try NetworkPrefix("0.0.0.0/0") == .everyVersion4)
        #expect(try NetworkPrefix("::/0") == .everyVersion6)
    }

    @Test("Bits behind the prefix are refused with what is meant")
    func trailingBits() {
        #expect(Self.read("10.1.2.3/16") == .failure(.trailingBits(fix: "10.1.0.0/16")))
        #expect(Self.read("10.1.128.0/17") == Self.read("10.1.128.0/17"))
        #expect(Self.read("10.1.192.0/17") == .failure(.trailingBits(fix: "10.1.128.0/17")))
        #expect(Self.read("10.1.2.3/31") == .failure(.trailingBits(fix: "10.1.2.2/31")))
        #expect(Self.read("fd00::1/64") == .failure(.trailingBits(fix: "fd00:0:0:0:0:0:0:0/64")))
        #expect(Self.read("1.0.0.0/0") == .failure(.trailingBits(fix: "0.0.0.0/0")))
    }

    @Test("Its text is read as the same network")
    func roundTrip() throws {
        for text in [
            "10.0.0.5", "10.1.0.0/16", "0.0.0.0/0", "255.255.255.255", "::/0", "fd00::1",
            "fd00:abcd::/32", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:10.0.0.5",
        ] {
            let network = try NetworkPrefix(text)
            #expect(try NetworkPrefix(network.text) == network)
        }
        #expect(try NetworkPrefix("10.0.0.5").text == "10.0.0.5/32")
    }

    @Test("A rule for port 0 is one for every port")
    func anyPort() {
        let rule = DestinationRule(secret: nil, network: .everyVersion4, port: 0)
        #expect(rule == DestinationRule(secret: nil, network: .everyVersion4, port: nil))
        #expect(rule != DestinationRule(secret: nil, network: .everyVersion4, port: 1))
    }
}
