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
    case rowMissing(id: String)
    case manualOnly(id: String, status: Status)
    case documentMissing(id: String)
    case textOfAStandard(id: String, key: String)
    case cellMissing(component: Component, framework: String)

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
        case .rowMissing(let id): "\(id): names no requirement; name the rows that it stands on"
        case .manualOnly(let id, let status):
            "\(id): has the customer's documents only and status '\(status.rawValue)'; "
                + "use 'manual', or name a claim"
        case .documentMissing(let id):
            "\(id): has status 'manual'; say in 'manual' which document of the customer it is"
        case .textOfAStandard(let id, let key):
            "\(id): '\(key)' reads like the standard's own text; of this framework only titles "
                + "up to \(Catalogue.titleLengthMax) characters may be printed, use own words"
        case .cellMissing(let component, let framework):
            "matrix: has no cell for \(component.rawValue) and \(framework)"
        }
    }
}
