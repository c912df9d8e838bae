// SPDX-License-Identifier: Apache-2.0

/// The rooms of the house, as docs/explanation/architecture.md shows them.
enum Room: String, CaseIterable, Sendable {
    case executables, adapters, components, ports, core, system, simulation, tests, machines

    /// Where the room's files are.
    var folder: String {
        switch self {
        case .executables: "Sources/Executables/"
        case .adapters: "Sources/Adapters/"
        case .components: "Sources/Components/"
        case .ports: "Sources/Ports/"
        case .core: "Sources/Core/"
        case .system: "Sources/System/"
        case .simulation: "Simulation/"
        case .tests: "Tests/"
        case .machines: "vm-tests/"
        }
    }

    /// Rooms whose modules may be imported here. `SecretMemory` may be imported everywhere.
    var mayImport: Set<Room> {
        switch self {
        case .executables: [.adapters, .components, .ports, .core, .system]
        case .adapters: [.ports, .core, .system]
        case .components: [.ports, .core]
        // Ports of the agent and of events are modules of their own, beside the wrapper's.
        case .ports: [.core, .ports]
        case .core: [.core]
        case .system: [.system]
        case .simulation: [.core, .ports, .components, .simulation]
        case .tests:
            [.adapters, .components, .ports, .core, .system, .simulation, .tests, .machines]
        case .machines: [.adapters, .ports, .core, .system, .simulation, .tests, .machines]
        }
    }

    /// Modules from outside the package that may be imported here.
    var mayImportFromOutside: Set<String> {
        switch self {
        case .executables: ["Foundation", "Glibc", "ArgumentParser"]
        case .adapters:
            House.network.union(House.certificates).union(["Foundation", "Glibc", "Yams"])
        case .system, .machines: ["Glibc"]
        case .tests: House.network.union(["Foundation", "Glibc", "Testing"])
        case .core, .components, .ports, .simulation: []
        }
    }

    init?(path: String) {
        guard let room = Self.allCases.first(where: { path.hasPrefix($0.folder) }) else {
            return nil
        }
        self = room
    }
}

/// Names that the rules are about.
enum House {
    /// The one Swift library of the system room that every room may import.
    static let secretMemory = "SecretMemory"
    /// Parts of the standard library that need an import.
    static let standardLibrary: Set<String> = ["Swift", "Synchronization"]
    /// Core libraries that only encode, and that neither the wrapper nor the agent links.
    static let encoders: Set<String> = ["Compliance", "AttackCatalogue"]
    /// The one module of the system room that the simulator may import: the hooks below Swift's
    /// runtime that it stands on. A simulated world makes no system call.
    static let simulatorHooks = "CSimulationHooks"
    /// The one program that may run the simulator.
    static let simulatorProgram = "cloudtaser"
    /// Programs that run as PID 1 of a container or in the VM guest: static and without a runtime.
    static let smallPrograms = [
        "cloudtaser-wrapper", "cloudtaser-agent", "guest-init", "attack",
    ]
    /// What small programs may not link. A prefix, so that NIOCore and NIOPosix are meant too.
    static let largeModules = [
        "Foundation", "NIO", "AsyncHTTPClient", "Yams", "Dispatch", "X509", "SwiftASN1", "Crypto",
    ]
    /// HTTP and TLS for programs that are not small: see `largeModules`.
    static let network: Set<String> = [
        "AsyncHTTPClient", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL",
    ]
    /// Makes and reads certificates, likewise.
    static let certificates: Set<String> = ["X509", "SwiftASN1", "Crypto"]
    /// Which third party a module belongs to. CLinux belongs to none: it is the kernel's
    /// own calls.
    static let thirdParties = [
        "COpenSSL": "OpenSSL", "COpenSSLShims": "OpenSSL",
        "CSeccomp": "the kernel's filter libraries", "CCapability": "the kernel's filter libraries",
        "CCurl": "libcurl", "CCurlShims": "libcurl",
        "CBPF": "libbpf", "CBPFPrograms": "libbpf",
        "AsyncHTTPClient": "SwiftNIO", "NIOCore": "SwiftNIO", "NIOPosix": "SwiftNIO",
        "NIOHTTP1": "SwiftNIO", "NIOSSL": "SwiftNIO", "Yams": "libyaml",
        "X509": "Swift's certificates", "SwiftASN1": "Swift's certificates",
        "Crypto": "Swift's certificates", "CBoringSSL": "Swift's certificates",
    ]
}
