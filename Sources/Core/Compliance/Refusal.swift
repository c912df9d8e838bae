// SPDX-License-Identifier: Apache-2.0

/// A reason not to print a catalogue. Each names the entry and what to do about it.
package enum Refusal: Error, Equatable, Hashable, CustomStringConvertible {
    case idRepeated(id: String)
    case idDangling(from: String, to: String)
    case requirementUnbacked(id: String)
    case claimWithoutTest(id: String)
    case claimWithoutLimitation(id: String)
    case testWithoutControl(id: String)
    case statusTooHigh(id: String, status: Status, ceiling: Status)
    case openPartIsTested(claim: String, test: String)
    case entryUnused(id: String)
    case phraseBanned(id: String, phrase: String)
    case countWritten(id: String, text: String)
    case textEmpty(id: String, key: String)

    package var description: String {
        switch self {
        case .idRepeated(let id): "\(id): the id is used twice; ids are unique in the catalogue"
        case .idDangling(let from, let to):
            "\(from): refers to '\(to)', which is not in the catalogue; add it or remove the id"
        case .requirementUnbacked(let id):
            "\(id): has no claim; name one, or set the status to 'manual' or 'none'"
        case .claimWithoutTest(let id): "\(id): has no test; a claim that no test backs is not made"
        case .claimWithoutLimitation(let id):
            "\(id): has no limitation; say what is not protected"
        case .testWithoutControl(let id):
            "\(id): has no positive control; describe the case where the experiment must succeed"
        case .statusTooHigh(let id, let status, let ceiling):
            "\(id): status '\(status.rawValue)' is above its weakest test; use "
                + "'\(ceiling.rawValue)' or prove the open parts"
        case .openPartIsTested(let claim, let test):
            "\(claim): '\(test)' is listed as not yet proven and is in the catalogue; move it to "
                + "the claim's tests"
        case .entryUnused(let id): "\(id): nothing refers to it; use it or remove it"
        case .phraseBanned(let id, let phrase):
            "\(id): may not say '\(phrase)'; say what is protected from whom"
        case .countWritten(let id, let text):
            "\(id): writes the count '\(text)'; counts are computed when the page is made"
        case .textEmpty(let id, let key): "\(id): '\(key)' is empty"
        }
    }
}

extension Catalogue {
    /// Everything that forbids printing this catalogue, in the catalogue's order. Empty: print it.
    package func refusals() -> [Refusal] {
        repeatedIDs() + danglingIDs() + unusedEntries() + requirementRefusals() + claimRefusals()
            + testRefusals() + wordingRefusals()
    }

    private func repeatedIDs() -> [Refusal] {
        var seen: Set<String> = []
        return allIDs.compactMap { seen.insert($0).inserted ? nil : .idRepeated(id: $0) }
    }

    private var allIDs: [String] {
        frameworks.map(\.id) + requirements.map(\.id) + claims.map(\.id) + tests.map(\.id)
            + limitations.map(\.id)
    }

    /// Every reference: from which entry, to which id, among which ids it must be.
    private var references: [(from: String, to: String, among: Set<String>)] {
        let frameworkIDs = Set(frameworks.map(\.id))
        let claimIDs = Set(claims.map(\.id))
        let testIDs = Set(tests.map(\.id))
        let limitationIDs = Set(limitations.map(\.id))
        return requirements.map { ($0.id, $0.framework, frameworkIDs) }
            + requirements.flatMap { entry in entry.claims.map { (entry.id, $0, claimIDs) } }
            + claims.flatMap { entry in entry.tests.map { (entry.id, $0, testIDs) } }
            + claims.flatMap { entry in entry.limitations.map { (entry.id, $0, limitationIDs) } }
            + limitations.flatMap { entry in entry.shownBy.map { (entry.id, $0, testIDs) } }
    }

    private func danglingIDs() -> [Refusal] {
        references.compactMap { reference in
            reference.among.contains(reference.to)
                ? nil : .idDangling(from: reference.from, to: reference.to)
        }
    }

    private func unusedEntries() -> [Refusal] {
        let used = Set(references.map(\.to))
        let entries =
            frameworks.map(\.id) + claims.map(\.id) + tests.map(\.id) + limitations.map(\.id)
        return entries.filter { !used.contains($0) }.map { .entryUnused(id: $0) }
    }

    private func requirementRefusals() -> [Refusal] {
        requirements.flatMap { requirement -> [Refusal] in
            guard !requirement.claims.isEmpty else {
                let backed = requirement.status == .manual || requirement.status == .none
                return backed ? [] : [.requirementUnbacked(id: requirement.id)]
            }
            let ceiling = ceiling(of: requirement)
            guard requirement.status > ceiling else { return [] }
            return [
                .statusTooHigh(id: requirement.id, status: requirement.status, ceiling: ceiling)
            ]
        }
    }

    private func claimRefusals() -> [Refusal] {
        let known = Set(tests.map(\.id))
        return claims.flatMap { claim -> [Refusal] in
            var refusals: [Refusal] = []
            if claim.tests.isEmpty { refusals.append(.claimWithoutTest(id: claim.id)) }
            if claim.limitations.isEmpty { refusals.append(.claimWithoutLimitation(id: claim.id)) }
            return refusals
                + claim.notYetProven.filter { known.contains($0.test) }
                .map { .openPartIsTested(claim: claim.id, test: $0.test) }
        }
    }

    private func testRefusals() -> [Refusal] {
        tests.filter { $0.positiveControl.allSatisfy(\.isWhitespace) }
            .map { .testWithoutControl(id: $0.id) }
    }

    /// Every text that is printed.
    private var texts: [(id: String, key: String, text: String)] {
        frameworks.flatMap { [($0.id, "title", $0.title), ($0.id, "source", $0.source)] }
            + requirements.flatMap {
                [
                    ($0.id, "reference", $0.reference), ($0.id, "title", $0.title),
                    ($0.id, "text", $0.text),
                ]
            }
            + claims.map { ($0.id, "text", $0.text) }
            + claims.flatMap { claim in
                claim.notYetProven.map { (claim.id, "notYetProven", $0.text) }
            }
            + tests.flatMap {
                [
                    ($0.id, "experiment", $0.experiment), ($0.id, "expected", $0.expected),
                    ($0.id, "command", $0.command),
                ]
            }
            + tests.filter { !$0.positiveControl.isEmpty }
            .map { ($0.id, "positiveControl", $0.positiveControl) }
            + limitations.map { ($0.id, "text", $0.text) }
    }

    private func wordingRefusals() -> [Refusal] {
        texts.flatMap { entry -> [Refusal] in
            var refusals: [Refusal] = []
            if entry.text.allSatisfy(\.isWhitespace) {
                refusals.append(.textEmpty(id: entry.id, key: entry.key))
            }
            if let phrase = Wording.bannedPhrase(in: entry.text) {
                refusals.append(.phraseBanned(id: entry.id, phrase: phrase))
            }
            if let count = Wording.writtenCount(in: entry.text) {
                refusals.append(.countWritten(id: entry.id, text: count))
            }
            return refusals
        }
    }
}
