// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Inventory
import KubernetesFormat
import ManifestFiles

/// `discover --patch`: manifests that ask the vault instead of Secrets.
struct PatchOptions: ParsableArguments {
    static let help = """
        With --patch it prints the objects that convert, as YAML (or, with -o json, a
        List): entries that name Secrets are gone, and annotations name the vault's
        paths and fields. Comments of YAML are lost, and so is what an API server
        writes itself. What stays as it is, is told on standard error with the reason.
        """

    @Flag(help: "Print the objects that convert, with annotations in place of Secrets.")
    var patch = false
    @Flag(
        help: """
            With --patch: print the commands that write the values to the vault instead, each \
            from a file of its field's name.
            """)
    var vaultCommands = false
    @Option(
        help: """
            Vault role of the workloads; {namespace}, {name} and {serviceaccount} are filled in. \
            Default: \(ConversionSettings.standardRole).
            """)
    var vaultRole: String?
    @Option(
        help: """
            Path in the vault before the Secret's name, filled in likewise. Default: \
            \(ConversionSettings.standardPrefix).
            """)
    var pathPrefix: String?
    @Flag(help: "The policy reads entrypoints from a registry: containers need no command.")
    var registryEntrypoints = false

    func validate() throws {
        guard
            patch
                || !vaultCommands && vaultRole == nil && pathPrefix == nil
                    && !registryEntrypoints
        else {
            throw ValidationError(
                "--vault-commands, --vault-role, --path-prefix and --registry-entrypoints are "
                    + "for --patch: add it")
        }
        _ = try settings()
    }

    private func settings() throws -> ConversionSettings {
        do throws(ConversionSettings.Failure) {
            return try ConversionSettings(
                role: vaultRole ?? ConversionSettings.standardRole,
                prefix: pathPrefix ?? ConversionSettings.standardPrefix,
                readsEntrypoints: registryEntrypoints)
        } catch { throw ValidationError(error.message) }
    }

    /// Prints what converts on standard output and the rest on standard error.
    func conclude(_ inventory: Inventory, asJSON: Bool) throws {
        let manifests = ConvertedManifests(inventory, try settings())
        if vaultCommands {
            for line in manifests.vaultCommands { try Terminal.print(line) }
        } else if asJSON {
            try Terminal.print(String(decoding: manifests.list.rendered(), as: UTF8.self))
        } else {
            try Terminal.print(YAMLText.stream(manifests.converted.map(\.tree)), terminator: "")
        }
        for note in manifests.converted.flatMap(\.notes) { tell("note: \(note)") }
        for line in manifests.left { tell("stays: \(line)") }
        for object in inventory.unread { tell("not read: \(object.source): \(object.reason)") }
        guard inventory.unread.isEmpty else {
            throw Incomplete(description: "\(inventory.unread.count) objects could not be read")
        }
    }

    private func tell(_ line: String) { Terminal.error(TextTable.neutral(line)) }
}
