// SPDX-License-Identifier: Apache-2.0
import Destinations
import Testing
import WrapperConfiguration

@Suite struct `Destinations of values` {
    typealias Parser = `Settings from the environment`

    private static func parse(
        _ text: String?, _ others: [ControlVariable: String?] = [:]
    ) -> Result<[SecretDestination], ConfigurationFailure> {
        var variables: [ControlVariable: String?] = [
            .environmentMap: "user=DB_USER,password=DB_PASSWORD", .destinations: text,
        ]
        variables.merge(others) { $1 }
        return Parser.parse(variables).map(\.destinations)
    }

    private static func place(
        _ name: String?, _ network: String, _ port: UInt16?
    ) throws -> SecretDestination {
        SecretDestination(name: name, network: try NetworkPrefix(network), port: port)
    }

    @Test func `are none unless given`() throws {
        #expect(try Self.parse(nil).get() == [])
        #expect(try Self.parse("").get() == [])
    }

    @Test func `are networks and ports for each name`() throws {
        let text =
            "DB_PASSWORD=10.0.0.5:5432,[fd00::1]:5432, 10.1.0.0/16:5432 ,:5432;"
            + "DB_USER=[fd00::/8];*=192.0.2.7;"
        #expect(
            try Self.parse(text).get() == [
                try Self.place("DB_PASSWORD", "10.0.0.5/32", 5432),
                try Self.place("DB_PASSWORD", "fd00::1/128", 5432),
                try Self.place("DB_PASSWORD", "10.1.0.0/16", 5432),
                try Self.place("DB_PASSWORD", "0.0.0.0/0", 5432),
                try Self.place("DB_PASSWORD", "::/0", 5432),
                try Self.place("DB_USER", "fd00::/8", nil),
                try Self.place(nil, "192.0.2.7/32", nil),
            ])
    }

    @Test func `have positions for names where the agent is told`() throws {
        var settings = try Parser.parse([
            .environmentMap: "user=DB_USER,password=DB_PASSWORD",
            .destinations: "DB_PASSWORD=10.0.0.5:1;*=:2",
        ]).get()
        let rules = settings.rules(forValuesNamed: ["DB_USER", "DB_PASSWORD"])
        #expect(rules.map(\.secret) == [1, nil, nil])
        #expect(rules.map(\.port) == [1, 2, 2])
        #expect(rules.map(\.network.text) == ["10.0.0.5/32", "0.0.0.0/0", "0:0:0:0:0:0:0:0/0"])
        // A name that is not there must not become every value.
        settings.destinations = [try Self.place("GONE", "10.0.0.5", 1)]
        #expect(settings.rules(forValuesNamed: ["DB_USER"]) == [])
    }

    @Test(
        arguments: [
            ("DB_PASSWORD", "ENV=PLACE"), ("10.0.0.5:5432", "ENV=PLACE"),
            ("DB_PASSWORT=10.0.0.5", "CLOUDTASER_ENV_MAP"), ("=10.0.0.5", "CLOUDTASER_ENV_MAP"),
            ("DB_USER=10.0.0.5;DB_USER=10.0.0.6", "join its places"),
            ("*=:1;*=:2", "join its places"), ("DB_USER=10.0.0.5;;*=:1", "ENV=PLACE"),
            ("DB_USER=", "is not ADDRESS"), ("DB_USER=:1,", "is not ADDRESS"),
            ("DB_USER=db.example:5432", "names are not looked up"),
            ("DB_USER=10.0.0:5432", "is not ADDRESS"), ("DB_USER=10.0.0.256", "is not ADDRESS"),
            ("DB_USER=[10.0.0.5]:1", "is not ADDRESS"), ("DB_USER=[fd00::1", "is not ADDRESS"),
            ("DB_USER=[fd00::1]5432", "port"), ("DB_USER=[]:1", "is not ADDRESS"),
            ("DB_USER=fd00::1", "[fd00::1]"), ("DB_USER=fd00::1:5432", "[fd00::1]:5432"),
            ("DB_USER=10.0.0.5:", "1 to 65535"), ("DB_USER=10.0.0.5:0", "leave the colon out"),
            ("DB_USER=10.0.0.5:65536", "1 to 65535"), ("DB_USER=10.0.0.5:+1", "1 to 65535"),
            ("DB_USER=10.0.0.5:01", "1 to 65535"), ("DB_USER=:", "1 to 65535"),
            ("DB_USER=10.0.0.0/33", "0 to 32"), ("DB_USER=10.0.0.0/:1", "0 to 32"),
            ("DB_USER=[::/129]:1", "128"), ("DB_USER=10.1.2.3/16:1", "use 10.1.0.0/16"),
        ])
    func `that cannot be are refused with what to do`(text: String, fix: String) {
        guard case .failure(let failure) = Self.parse(text) else {
            Issue.record("\(text) was taken")
            return
        }
        #expect(failure.variable == "CLOUDTASER_DESTINATIONS")
        #expect(failure.reason.contains(fix), "\(text): \(failure.reason)")
    }

    @Test func `are limited at the edge`() throws {
        func places(_ count: Int) -> String {
            (0..<count).map { "10.0.0.\($0)" }.joined(separator: ",")
        }
        #expect(DestinationRule.countMax == 64)
        #expect(try Self.parse("*=\(places(64))").get().count == 64)
        #expect(try Self.parse("*=\(places(62)),:1").get().count == 64)
        for text in [
            "*=\(places(65))", "*=\(places(63)),:1", "DB_USER=\(places(33));*=\(places(32))",
        ] {
            #expect(throws: ConfigurationFailure.self) { try Self.parse(text).get() }
        }
        #expect(try Self.parse("*=:65535").get().first?.port == 65_535)
    }

    @Test(arguments: [
        (ControlVariable.delivery, "file"), (.delivery, "environ"), (.agent, "none"),
    ])
    func `need what scans`(variable: ControlVariable, value: String) {
        guard case .failure(let failure) = Self.parse("*=:1", [variable: value]) else {
            Issue.record("was taken")
            return
        }
        #expect(failure.reason.contains(variable.rawValue))
        // Control: without destinations it may be so.
        #expect(throws: Never.self) { try Self.parse(nil, [variable: value]).get() }
    }
}
