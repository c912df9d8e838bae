// SPDX-License-Identifier: Apache-2.0
import InspectionPorts
import KubernetesPorts
import Operator
import Ports
import ServerProcess
import VaultHealthHTTP

extension VaultProbe {
    /// As the flags have it; nil: vaults are not asked.
    static func wanted(
        by command: OperatorCommand, policies: any PolicySource, clock: any AsyncTimeSource,
        log: ProgramLog
    ) throws(StartFailure) -> VaultProbe? {
        guard command.vaultProbe else { return nil }
        var settings = VaultHealthSettings()
        settings.requestTime = answerTime
        if let path = command.vaultAuthorities {
            settings.authorities = try RegistryCredentialFiles.read(path)
        }
        let health: VaultHealthHTTP
        do throws(VaultHealthHTTP.SettingsInvalid) {
            health = try VaultHealthHTTP(settings)
        } catch {
            throw StartFailure(text: "\(command.vaultAuthorities ?? "") \(error.reason)")
        }
        return VaultProbe(health: health, policies: policies, clock: clock) { vault, state in
            log.write(
                state.isUp ? .notice : .warning, "vault_state", "the vault is \(state.rawValue)",
                [("vault", vault)])
        }
    }
}
