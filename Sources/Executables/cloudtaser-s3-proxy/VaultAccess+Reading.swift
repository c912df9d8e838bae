// SPDX-License-Identifier: Apache-2.0
import ObjectKeyPorts
import Ports
import S3ProxyConfiguration
import ServerProcess
import Synchronization
import VaultCustody
import WrapperConfiguration

/// One reading of each thing, and what is said of it.
extension VaultAccess {
    func readClients() async {
        do throws(KeyCustodyFailure) {
            let report = try await credentials.readClients(by: workers)
            known.withLock { known in
                known.hasClients = true
                known.readAt = clock.monotonic()
            }
            log.recovery("clients", "clients are read again")
            if report.unusable.isEmpty {
                log.recovery("client_fields", "every field is a client")
            } else {
                let names = report.unusable.prefix(10).joined(separator: ", ")
                log.failure("client_fields", "no access key id and secret: \(names)")
            }
            guard report.isChanged else { return }
            log.write(
                .notice, "clients_changed", "clients of the vault are in use",
                [("count", String(report.clientCount))])
        } catch { failed("clients", settings.credentials.clientsPath, error) }
    }

    func readUpstream() async {
        do throws(KeyCustodyFailure) {
            let isChanged = try await credentials.readUpstream(by: workers)
            known.withLock { $0.hasUpstream = true }
            log.recovery("upstream_credentials", "upstream credentials are read again")
            guard isChanged else { return }
            log.write(
                .notice, "upstream_credentials_changed", "upstream credentials are in use")
        } catch { failed("upstream_credentials", settings.credentials.upstreamPath, error) }
    }

    func checkKey() async {
        let name = "\(settings.vault.transitMount)/\(settings.keys.transitKey)"
        do throws(TransitKeyFault) {
            try await custodian.check(name: settings.keys.transitKey)
            known.withLock { $0.isKeyGood = true }
            log.write(.notice, "transit_key_checked", "\(name) wraps and unwraps")
        } catch {
            switch error {
            case .custody(let failure): failed("transit_key", name, failure)
            case .notDerived:
                log.failure(
                    "transit_key",
                    "\(name) ignores what keys are bound to; make another one with "
                        + "derived=true")
            case .otherKey: log.failure("transit_key", "\(name) unwraps to another key")
            }
        }
    }

    private func failed(_ place: String, _ path: String, _ failure: KeyCustodyFailure) {
        guard failure != .cancelled else { return }
        log.failure(place, "\(path): \(failure)")
    }
}
