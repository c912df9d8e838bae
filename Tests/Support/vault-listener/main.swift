// SPDX-License-Identifier: Apache-2.0
//
// vault-listener SCRIPT: serves the vault that the file SCRIPT describes (see ListenerScript;
// `-` reads standard input up to a line `start`) over TLS on 127.0.0.1. Prints the lines below
// and serves until SIGTERM, SIGINT or SIGHUP, or with `-` until the end of standard input:
//
//     address https://127.0.0.1:PORT
//     authority PATH          PEM for VAULT_CACERT
//     client-certificate PATH PEM for VAULT_CLIENT_CERT
//     client-key PATH         PEM for VAULT_CLIENT_KEY
@preconcurrency import Glibc
import LoopbackPKI
import VaultListener

func fail(_ message: String) -> Never {
    fputs("vault-listener: \(message)\n", stderr)
    exit(2)
}

func readScript() -> String {
    guard CommandLine.arguments.count == 2 else { fail("usage: vault-listener SCRIPT|-") }
    let path = CommandLine.arguments[1]
    var text = ""
    if path == "-" {
        while let line = readLine(), line != "start" { text += line + "\n" }
        return text
    }
    guard let file = fopen(path, "r") else { fail("cannot read \(path)") }
    defer { fclose(file) }
    var part = [UInt8](repeating: 0, count: 1 << 16)
    var bytes: [UInt8] = []
    while true {
        let count = fread(&part, 1, part.count, file)
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes.append(contentsOf: part.prefix(count))
    }
}

/// A parent that spoke through standard input also ends the listener by closing it, so that no
/// listener outlives a test.
func stopAtEndOfInput() {
    var thread = pthread_t()
    pthread_create(
        &thread, nil,
        { _ in
            while readLine() != nil {}
            kill(getpid(), SIGTERM)
            return nil
        }, nil)
}

// Blocked before any thread starts, so that all of them inherit it and this one can wait.
var stopSignals = sigset_t()
sigemptyset(&stopSignals)
for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&stopSignals, number) }
pthread_sigmask(SIG_BLOCK, &stopSignals, nil)

do {
    let vault = try ListenerScript(readScript()).start()
    let client = try vault.pki.client()
    let certificate = try vault.file("client.pem", client.certificatePEM)
    let key = try vault.file("client-key.pem", client.keyPEM)
    print("address \(vault.listener.address)")
    print("authority \(vault.authorityFile)")
    print("client-certificate \(certificate)")
    print("client-key \(key)")
    fflush(stdout)
    if CommandLine.arguments[1] == "-" { stopAtEndOfInput() }
    var received: Int32 = 0
    while sigwait(&stopSignals, &received) != 0 {}
    withExtendedLifetime(vault) { vault.listener.stop() }
} catch {
    fail("\(error)")
}
