// SPDX-License-Identifier: Apache-2.0

/// A text that is printed.
private struct PrintedText {
    let id: String
    let key: String
    let text: String
    /// Whether it may quote, between “ and ”, what it takes back.
    var isCorrection = false
}

extension Catalogue {
    func wordingRefusals() -> [Refusal] {
        printed.flatMap { entry -> [Refusal] in
            var refusals: [Refusal] = []
            if entry.text.allSatisfy(\.isWhitespace) {
                refusals.append(.textEmpty(id: entry.id, key: entry.key))
            }
            let text = entry.isCorrection ? Wording.withoutQuotes(entry.text) : entry.text
            if let phrase = Wording.promise(in: text) {
                refusals.append(.phraseBanned(id: entry.id, phrase: phrase))
            }
            if let count = Wording.writtenCount(in: text) {
                refusals.append(.countWritten(id: entry.id, text: count))
            }
            return refusals
        } + promisedNames() + textsOfStandards()
    }

    /// Names are printed, too, and nothing refers to some of them.
    private func promisedNames() -> [Refusal] {
        let open = claims.flatMap(\.notYetProven) + auditItems.flatMap(\.notYetProven)
        return (allIDs + frameworks.compactMap(\.page) + open.map(\.test)).compactMap { name in
            Wording.promise(in: name).map { .phraseBanned(id: name, phrase: $0) }
        }
    }

    private func textsOfStandards() -> [Refusal] {
        let closed = Set(frameworks.filter(\.titlesOnly).map(\.id))
        return requirements.filter { closed.contains($0.framework) }.flatMap { row in
            let title =
                row.title.count > Self.titleLengthMax || Wording.isWordedAsAStandard(row.title)
            let texts = texts(of: row).filter { entry in
                entry.key != "title" && Wording.isWordedAsAStandard(entry.text)
            }
            return (title ? [Refusal.textOfAStandard(id: row.id, key: "title")] : [])
                + texts.map { .textOfAStandard(id: row.id, key: $0.key) }
        }
    }

    private func texts(of row: Requirement) -> [PrintedText] {
        [
            PrintedText(id: row.id, key: "reference", text: row.reference),
            PrintedText(id: row.id, key: "title", text: row.title),
            PrintedText(id: row.id, key: "text", text: row.text),
            PrintedText(id: row.id, key: "permittedClaim", text: row.permittedClaim),
            PrintedText(id: row.id, key: "duty", text: row.duty),
        ] + correction(row.id, row.correction)
    }

    private func correction(_ id: String, _ text: String?) -> [PrintedText] {
        text.map { [PrintedText(id: id, key: "correction", text: $0, isCorrection: true)] } ?? []
    }

    /// Every text that is printed.
    private var printed: [PrintedText] {
        let described = frameworks.flatMap {
            [
                PrintedText(id: $0.id, key: "title", text: $0.title),
                PrintedText(id: $0.id, key: "source", text: $0.source),
                PrintedText(id: $0.id, key: "textLicence", text: $0.textLicence),
            ]
        }
        let experiments = tests.flatMap {
            [
                PrintedText(id: $0.id, key: "experiment", text: $0.experiment),
                PrintedText(id: $0.id, key: "expected", text: $0.expected),
                PrintedText(id: $0.id, key: "command", text: $0.command),
            ]
        }
        let controls = tests.filter { !$0.positiveControl.isEmpty }
            .map { PrintedText(id: $0.id, key: "positiveControl", text: $0.positiveControl) }
        return described + requirements.flatMap(texts) + claimTexts + experiments + controls
            + limitations.map { PrintedText(id: $0.id, key: "text", text: $0.text) } + tableTexts
    }

    private var claimTexts: [PrintedText] {
        claims.map { PrintedText(id: $0.id, key: "text", text: $0.text) }
            + claims.flatMap { claim in
                claim.notYetProven.map {
                    PrintedText(id: claim.id, key: "notYetProven", text: $0.text)
                }
            }
    }

    private var tableTexts: [PrintedText] {
        let ofEvents = events.flatMap { entry in
            entry.outcomes.map { PrintedText(id: entry.id, key: "outcomes", text: $0) } + [
                PrintedText(id: entry.id, key: "name", text: entry.name),
                PrintedText(id: entry.id, key: "seen", text: entry.seen),
                PrintedText(id: entry.id, key: "ocsf", text: entry.ocsf),
            ] + correction(entry.id, entry.correction)
        }
        let ofCells = matrix.flatMap { entry in
            [PrintedText(id: entry.id, key: "reading", text: entry.reading)]
                + correction(entry.id, entry.correction)
        }
        let ofItems = auditItems.flatMap { entry in
            [
                PrintedText(id: entry.id, key: "title", text: entry.title),
                PrintedText(id: entry.id, key: "reading", text: entry.reading),
            ]
                + entry.notYetProven.map {
                    PrintedText(id: entry.id, key: "notYetProven", text: $0.text)
                } + correction(entry.id, entry.correction)
        }
        let ofUses = uses.flatMap { entry in
            [
                PrintedText(id: entry.id, key: "title", text: entry.title),
                PrintedText(id: entry.id, key: "reading", text: entry.reading),
            ] + correction(entry.id, entry.correction)
        }
        let ofScenarios = scenarios.flatMap { entry in
            [
                PrintedText(id: entry.id, key: "title", text: entry.title),
                PrintedText(id: entry.id, key: "basis", text: entry.basis),
                PrintedText(id: entry.id, key: "role", text: entry.role),
            ]
        }
        return ofEvents + ofCells + ofItems + ofUses + ofScenarios
    }
}
