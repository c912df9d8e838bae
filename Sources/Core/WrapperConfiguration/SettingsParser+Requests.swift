// SPDX-License-Identifier: Apache-2.0

internal import Delivery

extension SettingsParser {
    /// Most parameters of one path.
    package static let parameterCountMax = 16

    func requests() throws(ConfigurationFailure) -> [SecretRequest] {
        let list = try required(.secretPaths, "set it to the paths to read, secret/app")
        let map = try required(.environmentMap, "set it to field=ENV pairs, password=DB_PASSWORD")
        let paths = list.split(separator: ",", omittingEmptySubsequences: false)
            .map(Self.trimmed)
        var groups = map.split(separator: ";", omittingEmptySubsequences: false)
        if groups.last.map({ Self.trimmed($0).isEmpty }) == true { groups.removeLast() }
        guard paths.count <= Self.pathCountMax else {
            throw ConfigurationFailure(
                "CLOUDTASER_SECRET_PATHS", "more than \(Self.pathCountMax) paths")
        }
        guard paths.count == groups.count else {
            throw ConfigurationFailure(
                "CLOUDTASER_ENV_MAP",
                "has \(groups.count) groups for \(paths.count) paths; "
                    + "separate groups with ';' in the order of the paths")
        }
        var requests: [SecretRequest] = []
        var names: Set<String> = []
        for (path, group) in zip(paths, groups) {
            let (place, parameters) = try Self.parameters(of: path)
            guard Self.isPath(place), place.utf8.contains(UInt8(ascii: "/")) else {
                throw ConfigurationFailure(
                    "CLOUDTASER_SECRET_PATHS", "'\(place)' is not mount/path, like secret/app")
            }
            let isRepeated = requests.contains { $0.path == place && $0.parameters == parameters }
            guard !isRepeated else {
                throw ConfigurationFailure(
                    "CLOUDTASER_SECRET_PATHS", "'\(place)' is there twice; join its groups")
            }
            requests.append(
                SecretRequest(
                    path: place, parameters: parameters,
                    mappings: try mappings(group, names: &names)))
        }
        guard names.count <= Self.mappingCountMax else {
            throw ConfigurationFailure(
                "CLOUDTASER_ENV_MAP", "more than \(Self.mappingCountMax) entries")
        }
        return requests
    }

    private func mappings(
        _ group: Substring, names: inout Set<String>
    ) throws(ConfigurationFailure) -> [SecretRequest.Mapping] {
        var mappings: [SecretRequest.Mapping] = []
        for pair in group.split(separator: ",", omittingEmptySubsequences: false) {
            let text = Self.trimmed(pair)
            guard let equals = text.lastIndex(of: "=") else {
                throw ConfigurationFailure("CLOUDTASER_ENV_MAP", "'\(text)' is not field=ENV")
            }
            let field = String(text[..<equals])
            let name = String(text[text.index(after: equals)...])
            guard !field.isEmpty else {
                throw ConfigurationFailure("CLOUDTASER_ENV_MAP", "'\(text)' names no field")
            }
            guard EnvironmentName.isValid(name) else {
                throw ConfigurationFailure(
                    "CLOUDTASER_ENV_MAP", "'\(name)' is not a valid environment name")
            }
            guard !ControlVariable.isControl(name) else {
                throw ConfigurationFailure(
                    "CLOUDTASER_ENV_MAP", "'\(name)' is reserved for the wrapper")
            }
            guard names.insert(name).inserted else {
                throw ConfigurationFailure("CLOUDTASER_ENV_MAP", "'\(name)' is there twice")
            }
            mappings.append(SecretRequest.Mapping(field: field, name: name))
        }
        return mappings
    }

    /// `path?name=value&name=value`: what the engine is to be told. Nothing is percent-decoded;
    /// values keep to printable ASCII without `&`.
    private static func parameters(
        of text: String
    ) throws(ConfigurationFailure) -> (path: String, [SecretRequest.Parameter]) {
        guard let mark = text.firstIndex(of: "?") else { return (text, []) }
        let path = String(text[..<mark])
        var parameters: [SecretRequest.Parameter] = []
        let pairs = text[text.index(after: mark)...].split(
            separator: "&", omittingEmptySubsequences: false)
        for pair in pairs {
            guard let equals = pair.firstIndex(of: "="), equals > pair.startIndex,
                pair.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else {
                throw ConfigurationFailure(
                    "CLOUDTASER_SECRET_PATHS",
                    "'\(path)?…' needs name=value pairs separated by '&'")
            }
            let name = String(pair[..<equals])
            guard !parameters.contains(where: { $0.name == name }) else {
                throw ConfigurationFailure(
                    "CLOUDTASER_SECRET_PATHS", "'\(path)' is given '\(name)' twice")
            }
            parameters.append(
                SecretRequest.Parameter(
                    name: name, value: String(pair[pair.index(after: equals)...])))
        }
        guard parameters.count <= parameterCountMax else {
            throw ConfigurationFailure(
                "CLOUDTASER_SECRET_PATHS", "'\(path)' has more than \(parameterCountMax) parameters"
            )
        }
        return (path, parameters)
    }
}
