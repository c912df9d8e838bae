// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import Destinations

extension SettingsParser {
    private static let variable = ControlVariable.destinations.rawValue

    /// `ENV=PLACE,PLACE;ENV=PLACE`, a group for each value; `*` is every value. PLACE is an IPv4
    /// address or network, one of IPv6 in brackets, a port behind a colon, or both.
    func destinations(
        for settings: WrapperSettings
    ) throws(ConfigurationFailure) -> [SecretDestination] {
        guard let text = text(.destinations) else { return [] }
        guard settings.delivery == .splice else {
            throw ConfigurationFailure(
                Self.variable, "needs CLOUDTASER_DELIVERY=splice: nothing else is scanned")
        }
        guard settings.agent != .none else {
            throw ConfigurationFailure(
                Self.variable, "needs CLOUDTASER_AGENT=preferred or required, whose agent scans")
        }
        var groups = text.split(separator: ";", omittingEmptySubsequences: false)
        if groups.last.map({ Self.trimmed($0).isEmpty }) == true { groups.removeLast() }
        let delivered = settings.requests.flatMap { $0.mappings.map(\.name) }
        var destinations: [SecretDestination] = []
        var names: [String] = []
        for group in groups {
            let parts = group.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = Self.trimmed(parts[0])
            guard parts.count == 2 else {
                throw ConfigurationFailure(
                    Self.variable,
                    "'\(name)' is not ENV=PLACE,PLACE, like DB_PASSWORD=10.0.0.5:5432")
            }
            guard name == "*" || delivered.contains(name) else {
                throw ConfigurationFailure(
                    Self.variable,
                    "'\(name)' is no name of CLOUDTASER_ENV_MAP; use one, or * for every value")
            }
            guard !names.contains(name) else {
                throw ConfigurationFailure(
                    Self.variable, "'\(name)' is there twice; join its places")
            }
            names.append(name)
            for place in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
                destinations += try Self.destinations(
                    of: name == "*" ? nil : name, at: Self.trimmed(place))
            }
        }
        guard destinations.count <= DestinationRule.countMax else {
            throw ConfigurationFailure(
                Self.variable,
                "makes more than \(DestinationRule.countMax) rules; use networks, like 10.1.0.0/16"
                    + " (a port without an address makes two)")
        }
        return destinations
    }

    private static func destinations(
        of name: String?, at place: String
    ) throws(ConfigurationFailure) -> [SecretDestination] {
        let (address, port) = try split(place)
        guard !address.isEmpty else {
            return [NetworkPrefix.everyVersion4, .everyVersion6].map {
                SecretDestination(name: name, network: $0, port: port)
            }
        }
        let network: NetworkPrefix
        do throws(NetworkPrefix.Failure) { network = try NetworkPrefix(address) } catch {
            switch error {
            case .address: throw invalid(place)
            case .length:
                throw ConfigurationFailure(
                    variable, "'\(place)' has no length of 0 to 32 (IPv6: 128) behind its '/'")
            case .trailingBits(let fix):
                throw ConfigurationFailure(
                    variable, "'\(place)' has bits behind its prefix; use \(fix)")
            }
        }
        return [SecretDestination(name: name, network: network, port: port)]
    }

    /// An address of IPv6 has colons of its own, and therefore brackets.
    private static func split(
        _ place: String
    ) throws(ConfigurationFailure) -> (address: String, port: UInt16?) {
        var (address, rest) = (place[...], place[place.endIndex...])
        if place.first == "[" {
            guard let end = place.firstIndex(of: "]") else { throw invalid(place) }
            address = place[place.index(after: place.startIndex)..<end]
            rest = place[place.index(after: end)...]
            guard address.contains(":") else { throw invalid(place) }
        } else if let colon = place.firstIndex(of: ":") {
            (address, rest) = (place[..<colon], place[colon...])
            guard !rest.dropFirst().contains(":") else {
                throw ConfigurationFailure(
                    variable, "'\(place)' is IPv6 without brackets; use [fd00::1] or [fd00::1]:5432"
                )
            }
        }
        guard !rest.isEmpty else {
            guard !address.isEmpty else { throw invalid(place) }
            return (String(address), nil)
        }
        guard rest.first == ":",
            let port = Decimal.number(rest.dropFirst(), max: DestinationRule.portMax), port > 0
        else {
            throw ConfigurationFailure(
                variable,
                "'\(place)' has no port of 1 to 65535 behind its ':'; leave the colon out"
                    + " for every port")
        }
        return (String(address), UInt16(port))
    }

    private static func invalid(_ place: String) -> ConfigurationFailure {
        ConfigurationFailure(
            variable,
            "'\(place)' is not ADDRESS, ADDRESS/LENGTH or either with :PORT, like 10.0.0.5:5432,"
                + " 10.1.0.0/16 or [fd00::1]:5432; names are not looked up")
    }
}
