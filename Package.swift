// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

/// Every Swift target is built in Swift 6 mode with warnings as errors. Imports state their
/// members' module, so that ArchitectureTests can read the dependency rules off the sources.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func systemLibrary(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/System/\(name)", pkgConfig: pkgConfig,
        providers: [.apt([apt])])
}

func cTarget(
    _ name: String, path: String, dependencies: [Target.Dependency] = [],
    linking libraries: [String] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: path,
        linkerSettings: libraries.map { .linkedLibrary($0) })
}

func library(_ name: String, in folder: String, _ dependencies: [Target.Dependency] = []) -> Target
{
    .target(
        name: name, dependencies: dependencies, path: "\(folder)/\(name)", swiftSettings: strict)
}

func program(_ name: String, in folder: String, _ dependencies: [Target.Dependency] = []) -> Target
{
    .executableTarget(
        name: name, dependencies: dependencies, path: "\(folder)/\(name)", swiftSettings: strict)
}

/// A small C program that tests run, without the Swift run-time as a shared library.
func testProgram(_ name: String) -> Target {
    .executableTarget(
        name: name, path: "Tests/Programs/\(name)",
        linkerSettings: [.unsafeFlags(["-static-stdlib"])])
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: strict)
}

let system: [Target] = [
    cTarget("CLinux", path: "Sources/System/CLinux"),
    systemLibrary("COpenSSL", pkgConfig: "libssl", apt: "libssl-dev"),
    systemLibrary("CSeccomp", pkgConfig: "libseccomp", apt: "libseccomp-dev"),
    systemLibrary("CCapability", pkgConfig: "libcap", apt: "libcap-dev"),
    systemLibrary("CBPF", pkgConfig: "libbpf", apt: "libbpf-dev"),
    systemLibrary("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
    cTarget(
        "COpenSSLShims", path: "Sources/System/COpenSSLShims", dependencies: ["COpenSSL"],
        linking: ["ssl", "crypto"]),
    cTarget(
        "CCurlShims", path: "Sources/System/CCurlShims", dependencies: ["CCurl"],
        linking: ["curl"]),
    cTarget(
        "CBPFPrograms", path: "Sources/System/CBPFPrograms", dependencies: ["CBPF"],
        linking: ["bpf", "elf", "z"]),
    cTarget("CSimulationHooks", path: "Sources/System/CSimulationHooks"),
    // Calls the BoringSSL inside swift-crypto by name, and is linked with it.
    cTarget(
        "CBoringSSL", path: "Sources/System/CBoringSSL",
        dependencies: [.product(name: "Crypto", package: "swift-crypto")]),
    library("SecretMemory", in: "Sources/System", ["CLinux"]),
    library("SocketAddresses", in: "Sources/System"),
]

let core: [Target] = [
    library("HTTPFormat", in: "Sources/Core", ["SecretMemory"]),
    library("JSONFormat", in: "Sources/Core", ["SecretMemory"]),
    library("Delivery", in: "Sources/Core", ["SecretMemory"]),
    library(
        "WrapperConfiguration", in: "Sources/Core",
        ["Delivery", "Destinations", "SecretMemory"]),
    library(
        "Injection", in: "Sources/Core", ["Delivery", "JSONFormat", "WrapperConfiguration"]),
    library("Compliance", in: "Sources/Core"),
    library("EvidencePackage", in: "Sources/Core", ["Compliance", "KubernetesFormat"]),
    library("AttackCatalogue", in: "Sources/Core"),
    library("Enforcement", in: "Sources/Core"),
    library("Destinations", in: "Sources/Core"),
    library("AgentProtocol", in: "Sources/Core", ["Destinations"]),
    library("LeakIndex", in: "Sources/Core", ["Delivery", "SecretMemory"]),
    library(
        "EnforcementEvents", in: "Sources/Core", ["Enforcement", "JSONFormat", "SecretMemory"]),
    library("KubernetesFormat", in: "Sources/Core", ["JSONFormat"]),
    library("AdmissionTrust", in: "Sources/Core", ["Injection", "KubernetesFormat"]),
    library("Admission", in: "Sources/Core", ["JSONFormat", "KubernetesFormat"]),
    library(
        "Inventory", in: "Sources/Core",
        ["Delivery", "Injection", "KubernetesFormat", "WrapperConfiguration"]),
    library(
        "Reporting", in: "Sources/Core",
        ["Inventory", "KubernetesFormat", "Protection", "ProtectionScore"]),
    library(
        "Validation", in: "Sources/Core",
        [
            "AdmissionTrust", "Injection", "Inventory", "KubernetesFormat", "Reporting",
            "WrapperConfiguration",
        ]),
    library(
        "NetworkPolicies", in: "Sources/Core", ["Destinations", "Inventory", "KubernetesFormat"]),
    library("ImageFormat", in: "Sources/Core", ["KubernetesFormat"]),
    library("SealedObject", in: "Sources/Core", ["SecretMemory"]),
    library("S3Format", in: "Sources/Core"),
    library("Caching", in: "Sources/Core"),
    library("MetricsFormat", in: "Sources/Core"),
    library(
        "S3ProxyConfiguration", in: "Sources/Core",
        ["Delivery", "S3Format", "WrapperConfiguration"]),
    library("Checksums", in: "Sources/Core", ["SecretMemory"]),
    library(
        "RequestSignature", in: "Sources/Core", ["Checksums", "KubernetesFormat", "SecretMemory"]),
    library(
        "Protection", in: "Sources/Core",
        ["Destinations", "EnforcementEvents", "KubernetesFormat"]),
    library(
        "ProtectionScore", in: "Sources/Core",
        ["Delivery", "Injection", "KubernetesFormat", "Protection", "WrapperConfiguration"]),
    library("ServedHTTP", in: "Sources/Core"),
]

let ports: [Target] = [
    .target(
        name: "Ports", dependencies: ["Delivery", "Destinations", "SecretMemory"],
        path: "Sources/Ports",
        exclude: [
            "AgentPorts", "EventPorts", "ImagePorts", "KubernetesPorts", "NodePorts",
            "ObjectKeyPorts", "ObjectServerPorts", "ObjectStorePorts", "InspectionPorts",
        ],
        swiftSettings: strict),
    // Modules of their own: whatever the wrapper's ports import is linked into the wrapper.
    library(
        "AgentPorts", in: "Sources/Ports",
        ["Ports", "Enforcement", "EnforcementEvents", "AgentProtocol"]),
    library("EventPorts", in: "Sources/Ports", ["EnforcementEvents"]),
    library(
        "KubernetesPorts", in: "Sources/Ports", ["Ports", "KubernetesFormat", "AdmissionTrust"]),
    library("ImagePorts", in: "Sources/Ports", ["ImageFormat", "Injection"]),
    library("ObjectStorePorts", in: "Sources/Ports", ["S3Format"]),
    library("ObjectKeyPorts", in: "Sources/Ports", ["Ports", "SecretMemory"]),
    library("NodePorts", in: "Sources/Ports", ["Protection"]),
    library("InspectionPorts", in: "Sources/Ports"),
    library("ObjectServerPorts", in: "Sources/Ports", ["ServedHTTP"]),
]

let components: [Target] = [
    library(
        "Wrapper", in: "Sources/Components",
        ["Ports", "Delivery", "SecretMemory", "WrapperConfiguration"]),
    library(
        "Agent", in: "Sources/Components",
        ["Ports", "AgentPorts", "Enforcement", "EnforcementEvents", "AgentProtocol"]),
    library(
        "EventPipeline", in: "Sources/Components",
        ["Ports", "AgentPorts", "EventPorts", "Enforcement", "EnforcementEvents"]),
    library(
        "Operator", in: "Sources/Components",
        [
            "Ports", "ImageFormat", "ImagePorts", "KubernetesPorts", "KubernetesFormat",
            "Admission", "AdmissionTrust", "Caching", "Injection", "InspectionPorts",
            "MetricsFormat", "NodePorts", "Protection",
        ]),
    library(
        "Inspector", in: "Sources/Components",
        ["Inventory", "KubernetesFormat", "KubernetesPorts", "NodePorts", "Protection"]),
    library(
        "S3Proxy", in: "Sources/Components",
        [
            "Ports", "ObjectKeyPorts", "ObjectServerPorts", "ObjectStorePorts", "Caching",
            "Checksums", "MetricsFormat", "RequestSignature", "S3Format", "SealedObject",
            "SecretMemory", "ServedHTTP",
        ]),
]

let adapters: [Target] = [
    library(
        "VaultSecretStore", in: "Sources/Adapters",
        [
            "Ports", "HTTPFormat", "JSONFormat", "Delivery", "SecretMemory",
            "WrapperConfiguration", "CLinux", "COpenSSL", "COpenSSLShims", "SocketAddresses",
        ]),
    library(
        "VaultCustody", in: "Sources/Adapters",
        ["Ports", "ObjectKeyPorts", "SecretMemory", "CLinux"]),
    library("LinuxSystem", in: "Sources/Adapters", ["Ports", "SecretMemory", "CLinux"]),
    library(
        "LinuxProcessHost", in: "Sources/Adapters",
        [
            "Ports", "Delivery", "LeakIndex", "SecretMemory", "CLinux", "CSeccomp",
            "CCapability",
        ]),
    library(
        "LibbpfKernel", in: "Sources/Adapters",
        [
            "Ports", "AgentPorts", "AgentProtocol", "Destinations", "Enforcement",
            "EnforcementEvents", "CBPFPrograms",
        ]),
    library("AgentClient", in: "Sources/Adapters", ["Ports", "AgentProtocol", "CLinux"]),
    library(
        "AgentSelfTest", in: "Sources/Adapters",
        ["Ports", "AgentPorts", "AgentProtocol", "Enforcement", "LeakIndex", "CLinux"]),
    library("AgentPrivileges", in: "Sources/Adapters", ["CCapability"]),
    library(
        "AgentSockets", in: "Sources/Adapters", ["Ports", "AgentPorts", "AgentProtocol", "CLinux"]),
    library(
        "AgentFiles", in: "Sources/Adapters",
        ["Ports", "AgentPorts", "Enforcement", "EnforcementEvents"]),
    library(
        "EventIntegrity", in: "Sources/Adapters", ["EventPorts", "EnforcementEvents", "COpenSSL"]),
    library(
        "EvidenceSigning", in: "Sources/Adapters",
        ["EvidencePackage", "COpenSSL", "COpenSSLShims"]),
    library(
        "EventSinks", in: "Sources/Adapters",
        [
            "Ports", "EventPorts", "EnforcementEvents", "HTTPFormat", "JSONFormat",
            "SocketAddresses",
        ]),
    library(
        "KubernetesHTTP", in: "Sources/Adapters",
        [
            "KubernetesPorts", "KubernetesFormat",
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    library(
        "CurlHTTP", in: "Sources/Adapters",
        [
            "InspectionPorts", "KubernetesPorts", "KubernetesFormat", "NodePorts", "Protection",
            "CCurl", "CCurlShims",
        ]),
    library(
        "Kubeconfig", in: "Sources/Adapters",
        ["KubernetesPorts", .product(name: "Yams", package: "Yams")]),
    library(
        "ManifestFiles", in: "Sources/Adapters",
        ["Inventory", "KubernetesFormat", .product(name: "Yams", package: "Yams")]),
    library("AsyncClock", in: "Sources/Adapters", ["Ports", "KubernetesPorts"]),
    library(
        "ServerProcess", in: "Sources/Adapters",
        ["KubernetesFormat", "KubernetesPorts", "Ports"]),
    library(
        "OCIRegistry", in: "Sources/Adapters",
        [
            "ImagePorts", "ImageFormat", "KubernetesFormat",
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    library(
        "S3HTTP", in: "Sources/Adapters",
        [
            "ObjectStorePorts", "S3Format", "RequestSignature", "Checksums", "SecretMemory",
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    library(
        "NodeAgentHTTP", in: "Sources/Adapters",
        [
            "NodePorts", "Protection",
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
        ]),
    library(
        "VaultHealthHTTP", in: "Sources/Adapters",
        [
            "InspectionPorts", "KubernetesFormat",
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    library(
        "CryptoHasher", in: "Sources/Adapters",
        ["Checksums", "ImageFormat", .product(name: "Crypto", package: "swift-crypto")]),
    library(
        "CryptoObjectCipher", in: "Sources/Adapters",
        [
            "SealedObject", "SecretMemory", "CBoringSSL",
            .product(name: "Crypto", package: "swift-crypto"),
        ]),
    library(
        "X509Issuer", in: "Sources/Adapters",
        [
            "KubernetesPorts", "AdmissionTrust",
            .product(name: "X509", package: "swift-certificates"),
            .product(name: "SwiftASN1", package: "swift-asn1"),
            .product(name: "Crypto", package: "swift-crypto"),
        ]),
    library(
        "AdmissionServer", in: "Sources/Adapters",
        [
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    library(
        "ObjectServer", in: "Sources/Adapters",
        [
            "ObjectServerPorts", "ServedHTTP",
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
]

let executables: [Target] = [
    program(
        "cloudtaser-wrapper", in: "Sources/Executables",
        [
            "Wrapper", "VaultSecretStore", "LinuxProcessHost", "LinuxSystem", "AgentClient",
            "Ports", "Delivery", "SecretMemory", "WrapperConfiguration", "CLinux",
        ]),
    program(
        "cloudtaser-agent", in: "Sources/Executables",
        [
            "Agent", "AgentPorts", "EventPorts", "AgentPrivileges", "AgentProtocol",
            "AgentSelfTest",
            "AgentSockets", "AgentFiles",
            "Enforcement",
            "EnforcementEvents", "EventIntegrity", "EventPipeline", "EventSinks", "LibbpfKernel",
            "LinuxSystem", "Ports", "VaultSecretStore", "WrapperConfiguration", "Delivery",
        ]),
    program(
        "cloudtaser-operator", in: "Sources/Executables",
        [
            "Operator", "Admission", "AdmissionServer", "AdmissionTrust", "AsyncClock",
            "CryptoHasher", "ImageFormat", "ImagePorts", "Injection", "Kubeconfig",
            "InspectionPorts", "KubernetesHTTP", "KubernetesPorts", "MetricsFormat",
            "NodeAgentHTTP",
            "OCIRegistry", "Ports", "Protection",
            "ServerProcess", "VaultHealthHTTP", "X509Issuer",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ]),
    program(
        "cloudtaser-s3-proxy", in: "Sources/Executables",
        [
            "AsyncClock", "CryptoHasher", "CryptoObjectCipher", "KubernetesFormat",
            "KubernetesPorts", "ObjectKeyPorts", "ObjectServer", "ObjectServerPorts",
            "ObjectStorePorts", "Ports", "S3Format", "S3HTTP", "S3Proxy", "S3ProxyConfiguration",
            "SecretMemory", "ServedHTTP", "ServerProcess", "VaultCustody", "VaultSecretStore",
            "WrapperConfiguration",
        ]),
    program(
        "cloudtaser", in: "Sources/Executables",
        [
            "Compliance", "EvidencePackage", "EvidenceSigning", "WrapperConfiguration",
            "SimulationEngine", "SimulationScenarios",
            "CurlHTTP", "InspectionPorts", "Inspector", "Inventory", "Kubeconfig",
            "KubernetesFormat", "KubernetesPorts", "ManifestFiles", "NetworkPolicies",
            "Protection", "ProtectionScore", "Reporting", "SecretMemory", "Validation",
            "SimulationMatrix", "AttackCatalogue", "EnforcementEvents", "EventIntegrity",
            "Delivery", "Ports", "VaultSecretStore",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ]),
]

let simulation: [Target] = [
    .target(
        name: "Simulation",
        dependencies: [
            "Ports", "AgentPorts", "Delivery", "JSONFormat", "LeakIndex", "SecretMemory",
            "WrapperConfiguration",
        ],
        path: "Simulation/World", swiftSettings: strict),
    // Apart from the world that the VM guest links: it has no tasks.
    .target(
        name: "SimulatedCluster",
        dependencies: [
            "Ports", "ImageFormat", "ImagePorts", "InspectionPorts", "KubernetesPorts",
            "KubernetesFormat", "AdmissionTrust", "NodePorts", "Protection",
        ],
        path: "Simulation/Cluster", swiftSettings: strict),
    .target(
        name: "SimulatedStorage",
        dependencies: [
            "ObjectKeyPorts", "ObjectStorePorts", "Ports", "S3Format", "SecretMemory", "Simulation",
        ],
        path: "Simulation/Storage", swiftSettings: strict),
    .target(
        name: "SimulationEngine",
        dependencies: ["Ports", "SecretMemory", "CSimulationHooks"],
        path: "Simulation/Engine", swiftSettings: strict),
    .target(
        name: "SimulationScenarios",
        dependencies: [
            "SimulationEngine", "Simulation", "Wrapper", "Ports", "Delivery", "LeakIndex",
            "SecretMemory",
            "WrapperConfiguration", "Operator", "SimulatedCluster", "KubernetesPorts",
            "KubernetesFormat", "AdmissionTrust", "Admission", "ImageFormat", "ImagePorts",
            "Injection", "NodePorts", "ObjectStorePorts", "Protection", "SimulatedStorage",
            "Checksums", "ObjectKeyPorts", "ObjectServerPorts", "RequestSignature", "S3Format",
            "S3Proxy", "SealedObject", "ServedHTTP",
        ],
        path: "Simulation/Scenarios", swiftSettings: strict),
    .target(
        name: "SimulationMatrix", dependencies: ["AttackCatalogue", "Ports", "Simulation"],
        path: "Simulation/Matrix", swiftSettings: strict),
]

let virtualMachine: [Target] = [
    library("AttackPrograms", in: "vm-tests", ["CLinux"]),
    library("DeliveredValue", in: "vm-tests"),
    program("attack", in: "vm-tests", ["AttackPrograms", "CLinux", "DeliveredValue"]),
    program("demo-application", in: "vm-tests", ["DeliveredValue"]),
    program(
        "guest-init", in: "vm-tests",
        [
            "AttackPrograms", "VaultListener", "LoopbackPKI", "Simulation", "SecretMemory",
            "LeakIndex", "Destinations", "AgentPorts", "AgentProtocol", "AgentSelfTest",
            "LibbpfKernel", "Enforcement", "EnforcementEvents", "EventIntegrity", "Ports", "CLinux",
            "CBPFPrograms",
        ]),
]

let testSupport: [Target] = [
    library("LoopbackPKI", in: "Tests/Support", ["COpenSSL", "COpenSSLShims"]),
    library(
        "VaultListener", in: "Tests/Support",
        ["Simulation", "LoopbackPKI", "COpenSSL", "COpenSSLShims"]),
    program(
        "vault-listener", in: "Tests/Support", ["VaultListener", "LoopbackPKI"]),
    library("OpenBaoServer", in: "Tests/Support", ["LoopbackPKI"]),
    library("KubernetesServer", in: "Tests/Support", ["LoopbackPKI"]),
    library("S3Server", in: "Tests/Support", ["KubernetesServer", "LoopbackPKI"]),
    library(
        "RegistryServer", in: "Tests/Support",
        [
            "CryptoHasher", "KubernetesFormat", "KubernetesServer", "LoopbackPKI", "ImageFormat",
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    library(
        "ElectionTrial", in: "Tests/Support",
        ["KubernetesPorts", "Operator", "Ports", "SimulationEngine", "SimulationScenarios"]),
    library(
        "ScriptedServer", in: "Tests/Support",
        [
            "LoopbackPKI", .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    library("HostConformance", in: "Tests/Support", ["Ports", "Delivery", "SecretMemory"]),
    program(
        "host-conformance", in: "Tests/Support",
        ["HostConformance", "LinuxProcessHost", "LinuxSystem", "Ports", "Delivery"]),
    library("TestKit", in: "Tests/Support", ["Compliance"]),
    library("MemoryScan", in: "Tests/Support", ["SecretMemory", "CLinux"]),
    program(
        "object-server-probe", in: "Tests/Support",
        ["ObjectServer", "ObjectServerPorts", "ServedHTTP"]),
    program(
        "delivery-harness", in: "Tests/Support",
        [
            "LinuxProcessHost", "Ports", "Delivery", "SecretMemory",
            "CLinux",
        ]),
]

let heapScanSupport: [Target] = [
    program("scan-bench", in: "Tests/Support", ["CBPFPrograms", "LeakIndex"]),
    program(
        "agent-probe", in: "Tests/Support",
        ["AgentPrivileges", "AgentSelfTest", "AgentPorts", "Enforcement", "Ports"]),
    program(
        "heap-scan-harness", in: "Tests/Support",
        [
            "VaultSecretStore", "Ports", "Delivery", "SecretMemory", "WrapperConfiguration",
            "MemoryScan", "CLinux",
        ]),
]

let testPrograms: [Target] = [
    testProgram("delivery-victim"),
    testProgram("bench-workload"),
    testProgram("duty-probe"),
]

let testTargets: [Target] = [
    tests("SecretMemoryTests", ["SecretMemory", "MemoryScan", "TestKit", "CLinux"]),
    tests(
        "HeapScanTests",
        [
            "SecretMemory", "MemoryScan", "CLinux", "TestKit", "VaultListener", "LoopbackPKI",
            "Simulation", "heap-scan-harness",
        ]),
    tests(
        "S3ProxyConfigurationTests", ["S3ProxyConfiguration", "WrapperConfiguration"]),
    tests("HTTPFormatTests", ["HTTPFormat", "SecretMemory", "TestKit"]),
    tests("ServedHTTPTests", ["ServedHTTP", "TestKit"]),
    tests("JSONFormatTests", ["JSONFormat", "SecretMemory", "TestKit"]),
    tests("DeliveryTests", ["Delivery", "SecretMemory"]),
    tests("WrapperConfigurationTests", ["WrapperConfiguration", "Delivery", "Destinations"]),
    tests(
        "InjectionTests",
        ["Injection", "Delivery", "TestKit", "WrapperConfiguration"]),
    tests("ComplianceTests", ["Compliance", "TestKit"]),
    tests(
        "EvidencePackageTests",
        ["Compliance", "EvidencePackage", "EvidenceSigning", "KubernetesFormat", "TestKit"]),
    tests("EvidenceSigningTests", ["EvidencePackage", "EvidenceSigning"]),
    tests(
        "WrapperTests",
        ["Wrapper", "Delivery", "Ports", "SecretMemory", "WrapperConfiguration"]),
    tests(
        "VaultSecretStoreTests",
        [
            "VaultSecretStore", "Ports", "SecretMemory", "WrapperConfiguration",
            "VaultListener", "LoopbackPKI", "Simulation", "COpenSSL", "COpenSSLShims",
            "SocketAddresses", "TestKit",
        ]),
    tests(
        "LinuxProcessHostTests",
        [
            "LinuxProcessHost", "Ports", "Delivery", "SecretMemory", "CLinux", "TestKit",
            "delivery-harness",
        ]),
    tests("LinuxSystemTests", ["LinuxSystem", "Ports", "SecretMemory"]),
    tests("ProcessDutyTests", ["TestKit", "delivery-harness", "duty-probe"]),
    tests("DeliverySuiteTests", ["delivery-harness", "delivery-victim"]),
    tests(
        "PortConformanceTests",
        [
            "Ports", "Delivery", "SecretMemory", "WrapperConfiguration", "Simulation",
            "HostConformance", "host-conformance", "TestKit",
            "VaultSecretStore", "VaultListener", "LoopbackPKI", "OpenBaoServer",
            "EnforcementEvents", "EventIntegrity", "KubernetesPorts", "KubernetesFormat",
            "SimulatedCluster", "CurlHTTP", "KubernetesHTTP", "KubernetesServer", "AsyncClock",
            "ScriptedServer", "Kubeconfig", "ElectionTrial", "SimulationEngine", "Operator",
            "AdmissionTrust", "X509Issuer", "Injection", "CryptoHasher", "ImageFormat",
            "ImagePorts", "OCIRegistry", "RegistryServer", "NodeAgentHTTP", "NodePorts",
            "ObjectKeyPorts", "ObjectStorePorts", "VaultCustody", "Protection", "S3Format",
            "S3HTTP", "S3Server", "SimulatedStorage", "MetricsFormat", "InspectionPorts",
            "VaultHealthHTTP", "AgentPorts", "AgentFiles",
        ]),
    tests(
        "VaultCustodyTests",
        [
            "VaultCustody", "AsyncClock", "ObjectKeyPorts", "Ports", "SecretMemory",
        ]),
    tests(
        "SimulationTests",
        [
            "Simulation", "SimulationMatrix", "AttackCatalogue", "AttackPrograms",
            "Enforcement", "Ports", "LinuxProcessHost", "TestKit", "WrapperConfiguration",
        ]),
    tests(
        "SimulationEngineTests",
        ["SimulationEngine", "SimulationScenarios", "Ports", "SecretMemory", "TestKit"]),
    tests(
        "SimulationScenariosTests",
        [
            "SimulationScenarios", "SimulationEngine", "Simulation", "SimulatedCluster", "Ports",
            "Wrapper", "KubernetesPorts", "KubernetesFormat", "ImageFormat", "ImagePorts",
            "Operator", "Injection", "ObjectStorePorts", "Protection", "S3Format",
            "SimulatedStorage", "ObjectKeyPorts", "ObjectServerPorts", "SealedObject",
            "SecretMemory", "ServedHTTP", "TestKit",
        ]),
    tests("SimulatedStorageTests", ["ObjectStorePorts", "S3Format", "SimulatedStorage"]),
    tests("AttackCatalogueTests", ["AttackCatalogue"]),
    tests("AttackProgramsTests", ["AttackPrograms", "DeliveredValue", "SecretMemory"]),
    tests("ArchitectureTests", ["Compliance"]),
    tests(
        "CommandLineTests",
        [
            "cloudtaser", "SimulationEngine", "SimulationScenarios", "TestKit",
            "EnforcementEvents", "EventIntegrity", "EventPorts", "EventSinks", "KubernetesFormat",
            "LoopbackPKI", "ManifestFiles", "ScriptedServer",
        ]),
    tests(
        "LimitTests",
        ["TestKit", "AttackPrograms", "CLinux", "delivery-harness", "attack"]),
    tests(
        "LifeTests",
        ["OpenBaoServer", "LoopbackPKI", "TestKit", "WrapperConfiguration", "cloudtaser-wrapper"]),
    tests(
        "EndToEndTests",
        [
            "AgentFiles", "AgentPorts", "AgentProtocol", "Destinations", "VaultListener", "TestKit",
            "WrapperConfiguration",
            "cloudtaser-wrapper",
            "delivery-victim", "Delivery", "CLinux",
        ]),
    tests(
        "EnforcementEventsTests",
        ["Enforcement", "EnforcementEvents", "EventIntegrity", "TestKit"]),
    tests(
        "InventoryTests",
        ["Injection", "Inventory", "KubernetesFormat", "Reporting", "TestKit"]),
    tests(
        "ManifestFilesTests",
        ["cloudtaser", "Inventory", "KubernetesFormat", "ManifestFiles", "TestKit"]),
    tests(
        "NetworkPoliciesTests",
        ["Destinations", "Inventory", "KubernetesFormat", "NetworkPolicies", "TestKit"]),
    tests("EventIntegrityTests", ["EventIntegrity", "EnforcementEvents", "EventPorts"]),
    tests(
        "EventPipelineTests",
        [
            "EventPipeline", "Enforcement", "EnforcementEvents", "EventIntegrity", "AgentPorts",
            "EventPorts", "Ports",
            "SecretMemory",
        ]),
    tests(
        "EventSinksTests",
        [
            "EventSinks", "EventPipeline", "Enforcement", "EnforcementEvents", "EventIntegrity",
            "EventPorts",
            "LinuxSystem", "Ports", "TestKit",
        ]),
    tests("EnforcementTests", ["Enforcement", "TestKit"]),
    tests("DestinationsTests", ["Destinations"]),
    tests("AgentProtocolTests", ["AgentProtocol", "Destinations", "LeakIndex"]),
    tests("LeakIndexTests", ["Delivery", "LeakIndex", "SecretMemory"]),
    tests("AgentClientTests", ["AgentClient", "AgentProtocol", "Destinations", "Ports"]),
    tests(
        "AgentTests",
        [
            "Agent", "AgentPorts", "AgentProtocol", "Enforcement", "EnforcementEvents", "Ports",
            "Simulation", "TestKit",
        ]),
    tests(
        "AgentSocketsTests",
        ["AgentSockets", "AgentPorts", "AgentProtocol", "Destinations", "Ports", "TestKit"]),
    tests(
        "AgentFilesTests",
        ["AgentFiles", "AgentPorts", "Enforcement", "EnforcementEvents", "Ports"]),
    tests("AgentSelfTestTests", ["agent-probe", "TestKit"]),
    tests("AgentPrivilegesTests", ["AgentPrivileges", "agent-probe", "TestKit"]),
    tests(
        "LibbpfKernelTests",
        [
            "LibbpfKernel", "CBPFPrograms", "AgentPorts", "AgentProtocol", "Destinations",
            "Enforcement", "EnforcementEvents", "LeakIndex", "Ports",
        ]),
    tests("AgentProgramTests", ["cloudtaser-agent", "TestKit"]),
    tests("KubernetesFormatTests", ["KubernetesFormat"]),
    tests("AdmissionTests", ["Admission"]),
    tests("ImageFormatTests", ["ImageFormat", "KubernetesFormat"]),
    tests("S3FormatTests", ["S3Format", "TestKit"]),
    tests(
        "KubernetesHTTPTests",
        [
            "Kubeconfig", "KubernetesHTTP", "KubernetesPorts", "LoopbackPKI", "ScriptedServer",
        ]),
    tests(
        "OperatorProgramTests",
        [
            "cloudtaser-operator", "KubernetesFormat", "KubernetesServer", "LoopbackPKI",
            "OpenBaoServer", "RegistryServer", "TestKit",
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    tests(
        "S3ProxyProgramTests",
        [
            "cloudtaser-s3-proxy", "KubernetesFormat", "LoopbackPKI", "Simulation", "TestKit",
            "VaultListener",
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    tests(
        "AdmissionServerTests",
        [
            "AdmissionServer", "LoopbackPKI", "TestKit",
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    tests(
        "ObjectServerTests",
        [
            "ObjectServer", "ObjectServerPorts", "ServedHTTP", "LoopbackPKI", "TestKit",
            "object-server-probe",
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    tests(
        "OCIRegistryTests",
        ["OCIRegistry", "ImageFormat", "ImagePorts", "LoopbackPKI", "ScriptedServer"]),
    tests(
        "S3HTTPTests",
        [
            "S3HTTP", "CryptoHasher", "LoopbackPKI", "ObjectStorePorts",
            "RequestSignature", "S3Format", "ScriptedServer", "SecretMemory",
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
        ]),
    tests(
        "CryptoObjectCipherTests",
        [
            "CryptoObjectCipher", "SealedObject", "SecretMemory", "MemoryScan", "CBoringSSL",
            "CLinux",
        ]),
    tests(
        "SealedObjectTests", ["SealedObject", "CryptoObjectCipher", "SecretMemory", "TestKit"]),
    tests("CryptoHasherTests", ["Checksums", "CryptoHasher", "ImageFormat"]),
    tests("ChecksumsTests", ["Checksums", "CryptoHasher", "TestKit"]),
    tests(
        "RequestSignatureTests",
        [
            "RequestSignature", "Checksums", "CryptoHasher", "KubernetesFormat", "SecretMemory",
            "TestKit",
        ]),
    tests(
        "VaultHealthHTTPTests",
        ["InspectionPorts", "LoopbackPKI", "ScriptedServer", "VaultHealthHTTP"]),
    tests("NodeAgentHTTPTests", ["NodeAgentHTTP", "NodePorts", "Protection", "ScriptedServer"]),
    tests("ProtectionTests", ["Protection", "KubernetesFormat"]),
    tests(
        "ReportingTests",
        [
            "Inventory", "KubernetesFormat", "Protection", "ProtectionScore", "Reporting",
            "TestKit",
        ]),
    tests(
        "ValidationTests",
        ["Inventory", "KubernetesFormat", "Reporting", "TestKit", "Validation"]),
    tests(
        "InspectorTests",
        [
            "Inspector", "Inventory", "KubernetesFormat", "KubernetesPorts", "NodePorts",
            "Protection",
        ]),
    tests(
        "CurlHTTPTests",
        [
            "CurlHTTP", "InspectionPorts", "Kubeconfig", "KubernetesPorts", "LoopbackPKI",
            "ScriptedServer",
        ]),
    tests(
        "ProtectionScoreTests", ["KubernetesFormat", "Protection", "ProtectionScore", "TestKit"]),
    tests("KubeconfigTests", ["Kubeconfig", "KubernetesPorts"]),
    tests(
        "ServerProcessTests",
        ["KubernetesFormat", "KubernetesPorts", "Ports", "ServerProcess"]),
    tests("AsyncClockTests", ["AsyncClock", "KubernetesPorts", "Ports"]),
    tests(
        "OperatorTests",
        [
            "Operator", "KubernetesPorts", "KubernetesFormat", "Ports", "AdmissionTrust",
            "SimulatedCluster", "SimulationEngine", "SimulationScenarios", "ElectionTrial",
            "Admission", "AsyncClock", "CryptoHasher", "ImageFormat", "ImagePorts", "Injection",
            "InspectionPorts", "MetricsFormat", "NodePorts", "Protection",
        ]),
    tests("CachingTests", ["Caching", "Ports"]),
    tests("MetricsFormatTests", ["MetricsFormat"]),
    tests(
        "S3ProxyTests",
        [
            "S3Proxy", "Ports", "ObjectKeyPorts", "ObjectServerPorts", "ObjectStorePorts",
            "Checksums", "RequestSignature", "S3Format", "SealedObject", "SecretMemory",
            "ServedHTTP", "CryptoHasher", "CryptoObjectCipher", "MemoryScan", "SimulatedStorage",
        ]),
    tests("AdmissionTrustTests", ["AdmissionTrust", "Injection", "KubernetesFormat"]),
    tests(
        "X509IssuerTests",
        ["X509Issuer", "AdmissionTrust", "KubernetesPorts", "SimulatedCluster"]),
]

let package = Package(
    name: "cloudtaser",
    products: [
        .executable(name: "cloudtaser-wrapper", targets: ["cloudtaser-wrapper"]),
        .executable(name: "cloudtaser", targets: ["cloudtaser"]),
        .executable(name: "cloudtaser-s3-proxy", targets: ["cloudtaser-s3-proxy"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.81.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.30.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    ],
    targets: system + core + ports + components + adapters + executables + simulation
        + virtualMachine + testSupport + heapScanSupport + testPrograms
        + testTargets
)
