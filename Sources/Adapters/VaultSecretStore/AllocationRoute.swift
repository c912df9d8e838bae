// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Where an allocation of OpenSSL belongs.
enum AllocationRoute: Equatable {
    case secret
    case ordinary
}

/// Sizes (bytes) of EVP_CIPHER_CTX and EVP_MD_CTX in the OpenSSL at hand.
struct ContextSizes: Equatable {
    var cipher = 0
    var digest = 0
}

/// Decides by the source file that asks for memory (the `file` argument of
/// CRYPTO_set_mem_functions(3)) and by the size.
///
/// Secret is the default: a file that is not listed here, a new one included, gets secret memory.
/// The lists name what is large and holds no plaintext of a connection and no private or session
/// key. Figures: docs/reference/secret-memory.md.
enum AllocationFile: UInt8, Equatable {
    case secret = 1
    case table
    case parser
    case handshakeBuffer
    case cipherContext
    case digestContext

    /// Folders and files that never hold what is read or sent: names, error texts, tables of
    /// fetched algorithms and providers, containers of pointers, locks. Entries ending in `/` are
    /// folders.
    private static let tableFiles: [StaticString] = [
        "crypto/lhash/", "crypto/stack/", "crypto/sparse_array.c", "crypto/threads_",
        "crypto/property/", "crypto/core_", "crypto/objects/", "crypto/err/", "crypto/provider",
        "crypto/initthread.c", "crypto/init.c", "crypto/ex_data.c", "crypto/bio/bio_meth.c",
        "crypto/engine/", "crypto/store/store_register.c", "crypto/async/",
        "crypto/encode_decode/decoder_meth.c", "crypto/encode_decode/encoder_meth.c",
        "crypto/evp/evp_fetch.c", "crypto/evp/keymgmt_meth.c", "crypto/evp/kdf_meth.c",
        "crypto/evp/mac_meth.c", "crypto/evp/signature.c", "crypto/evp/asymcipher.c",
        "crypto/evp/kem.c", "crypto/evp/exchange.c", "crypto/evp/evp_rand.c",
        "crypto/evp/evp_pbe.c", "crypto/evp/names.c",
        // Names, identifiers and signature algorithms of the groups that both sides may use.
        "ssl/t1_lib.c", "ssl/ssl_ciph.c",
        // CERT: which certificates and keys are configured, as pointers.
        "ssl/ssl_cert.c",
        // What leaves the record layer, encrypted, or the handshake before keys exist.
        "crypto/bio/bf_buff.c",
    ]

    /// Parsers: public data, unless a private key is being parsed.
    private static let parserFiles: [StaticString] = [
        "crypto/x509/", "crypto/asn1/", "crypto/conf/", "crypto/ct/", "crypto/ocsp/",
    ]

    /// Contexts and method tables come from the same two files. A context's size is measured at
    /// installation; any other size from these files is a method table.
    private static let cipherContextFile: StaticString = "crypto/evp/evp_enc.c"
    private static let digestContextFile: StaticString = "crypto/evp/digest.c"

    /// libssl assembles handshake messages in a BUF_MEM grown to SSL3_RT_MAX_PLAIN_LENGTH, which
    /// rounds up so. It holds certificates, key shares and Finished messages, no application data
    /// and no key. Exactly this size: other uses of crypto/buffer (memory BIOs, PEM text) stay in
    /// secret memory.
    private static let handshakeBufferFile: StaticString = "crypto/buffer/buffer.c"
    static let handshakeBufferBytes = (16384 + 3) / 3 * 4

    /// - Parameter file: NUL-terminated, with whatever folders the build put in front.
    init(file: UnsafePointer<CChar>?) {
        guard let file, let name = Self.sourceName(file) else {
            self = .secret
            return
        }
        if Self.hasPrefix(name, Self.handshakeBufferFile) {
            self = .handshakeBuffer
        } else if Self.hasPrefix(name, Self.cipherContextFile) {
            self = .cipherContext
        } else if Self.hasPrefix(name, Self.digestContextFile) {
            self = .digestContext
        } else if Self.tableFiles.contains(where: { Self.hasPrefix(name, $0) }) {
            self = .table
        } else if Self.parserFiles.contains(where: { Self.hasPrefix(name, $0) }) {
            self = .parser
        } else {
            self = .secret
        }
    }

    /// - Parameters:
    ///   - bytes: size asked for.
    ///   - contexts: the measured sizes, nil until they are known.
    ///   - content: what the caller declared to be reading, nil for nothing in particular.
    func route(
        bytes: Int, contexts: ContextSizes?, content: OpenSSLAllocator.Content? = nil
    ) -> AllocationRoute {
        if content == .public { return .ordinary }
        switch self {
        case .secret: return .secret
        case .table: return .ordinary
        case .parser: return content == .secret ? .secret : .ordinary
        case .handshakeBuffer:
            return bytes == Self.handshakeBufferBytes && content == nil ? .ordinary : .secret
        case .cipherContext: return bytes == contexts?.cipher ?? bytes ? .secret : .ordinary
        case .digestContext: return bytes == contexts?.digest ?? bytes ? .secret : .ordinary
        }
    }

    private static func hasPrefix(_ name: UnsafePointer<CChar>, _ prefix: StaticString) -> Bool {
        prefix.withUTF8Buffer { bytes in
            for (index, byte) in bytes.enumerated()
            where UInt8(bitPattern: name[index]) != byte { return false }
            return true
        }
    }

    /// The name from the last of OpenSSL's top folders on (distributions build with
    /// `../crypto/…`, `crypto/…` or an absolute path); nil when there is none.
    private static func sourceName(_ file: UnsafePointer<CChar>) -> UnsafePointer<CChar>? {
        var found: UnsafePointer<CChar>?
        var position = file
        while true {
            if hasPrefix(position, "crypto/") || hasPrefix(position, "ssl/")
                || hasPrefix(position, "providers/")
            {
                found = position
            }
            guard let slash = strchr(position, Int32(UInt8(ascii: "/"))) else { return found }
            position = UnsafePointer(slash) + 1
        }
    }
}

/// Remembers the verdict for each `file` pointer: OpenSSL passes string literals, so a file is
/// judged once, not at each of some ten thousand allocations. Full, it judges each time.
struct AllocationFileCache: ~Copyable {
    private static let slots = 1024
    private let files: UnsafeMutableBufferPointer<(file: UInt, kind: UInt8)>

    init() {
        files = .allocate(capacity: Self.slots)
        files.initialize(repeating: (0, 0))
    }

    deinit { files.deallocate() }

    /// - Parameter file: address of the name, 0 for none.
    func kind(of file: UInt) -> AllocationFile {
        guard file != 0 else { return .secret }
        var slot = Int(truncatingIfNeeded: file >> 3) & (Self.slots - 1)
        for _ in 0..<8 {
            if files[slot].file == file {
                return AllocationFile(rawValue: files[slot].kind) ?? .secret
            }
            if files[slot].file == 0 {
                let kind = AllocationFile(file: UnsafePointer(bitPattern: file))
                files[slot] = (file, kind.rawValue)
                return kind
            }
            slot = (slot + 1) & (Self.slots - 1)
        }
        return AllocationFile(file: UnsafePointer(bitPattern: file))
    }
}
