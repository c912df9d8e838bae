// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Compliance
import Foundation

struct Evidence: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make and check the compliance pages, print a run's records, package them.",
        discussion: "Example:\n  cloudtaser evidence report --records build/evidence",
        subcommands: [
            EvidenceBuild.self, EvidenceCheck.self, EvidenceReporting.self,
            EvidencePackaging.self, EvidenceVerify.self, EvidenceKeygen.self, EvidenceSeries.self,
        ])
}

struct CatalogueOption: ParsableArguments {
    @Option(help: "Folder of the catalogue's JSON files.")
    var catalogue = "Fixtures/compliance"

    /// The catalogue, after every refusal was looked for.
    func checked() throws -> Catalogue {
        let files = try Folder.contents(of: catalogue, ending: ".json")
        let read = try CatalogueReader.catalogue(from: files)
        let refusals = read.refusals()
        guard refusals.isEmpty else {
            throw Findings(
                description: refusals.map { "\(catalogue): \($0)" }.joined(separator: "\n"))
        }
        return read
    }
}

struct EvidenceBuild: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "Write the pages and OSCAL documents from the catalogue.",
        discussion: """
            Example:
              cloudtaser evidence build --catalogue Fixtures/compliance --out docs/compliance

            Refuses a catalogue that claims more than its tests show. \(Exit.help)
            """)

    @OptionGroup var source: CatalogueOption
    @Option(help: "Folder to write; its other files are left alone.")
    var out = "docs/compliance"

    func run() throws {
        let pages = try source.pages()
        for (name, text) in pages.sorted(by: { $0.key < $1.key }) {
            try Folder.write(text, to: "\(out)/\(name)")
            try Terminal.print("wrote \(out)/\(name)")
        }
    }
}

struct EvidenceCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Compare the committed pages with the catalogue.",
        discussion: """
            Example:
              cloudtaser evidence check --catalogue Fixtures/compliance --pages docs/compliance

            Writes nothing. \(Exit.help)
            """)

    @OptionGroup var source: CatalogueOption
    @Option(help: "Folder of the committed pages.")
    var pages = "docs/compliance"

    func run() throws {
        let expected = try source.pages()
        let documents = try Folder.contents(of: "\(pages)/oscal", ending: ".json")
        var committed = try Folder.contents(of: pages, ending: ".md")
        committed.merge(try Folder.contents(of: pages, ending: ".html")) { $1 }
        committed.merge(documents.map { ("oscal/\($0.key)", $0.value) }) { $1 }
        let names = Set(expected.keys).union(committed.keys).sorted()
        let findings = names.compactMap { name -> String? in
            guard let text = expected[name] else { return "\(pages)/\(name): not a page any more" }
            guard let found = committed[name] else { return "\(pages)/\(name): missing" }
            return found == Data(text.utf8) ? nil : "\(pages)/\(name): differs"
        }
        guard findings.isEmpty else {
            throw Findings(
                description: (findings + ["run: cloudtaser evidence build --out \(pages)"])
                    .joined(separator: "\n"))
        }
        try Terminal.print("\(expected.count) pages are as the catalogue says")
    }
}

struct EvidenceReporting: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Print what a run's records say about each test.",
        discussion: """
            Example:
              cloudtaser evidence report --records build/evidence
              cloudtaser evidence report --commit "$(git rev-parse HEAD)" --max-age-days 30 \\
                --now "$(date --utc +%FT%TZ)"

            Ends with 3 when a test has no passing record or its control did not pass; with
            --max-age-days also when a record is older, or does not say when its test began.
            \(Exit.help)
            """)

    @OptionGroup var source: CatalogueOption
    @Option(help: "Folder of records (*.json), one file for each test and kernel.")
    var records = "build/evidence"
    @Option(help: "Accept records of this commit from an unchanged tree only.")
    var commit: String?
    @Option(help: "Accept records of tests that began at most so many days ago only.")
    var maxAgeDays: Int?
    @Option(help: "The time that ages are counted to (RFC 3339). Default: the newest record's.")
    var now: String?

    /// - Throws: a usage error when a flag has no meaning.
    private func freshness() throws -> Freshness? {
        guard let maxAgeDays else {
            guard now == nil else { throw ValidationError("--now needs --max-age-days") }
            return nil
        }
        let time = now.flatMap(EvidenceTime.init(rfc3339:))
        guard now == nil || time != nil else {
            throw ValidationError("--now is no RFC 3339 time; write it as 2026-11-27T21:40:00Z")
        }
        guard let freshness = Freshness(maxAgeDays: maxAgeDays, now: time) else {
            throw ValidationError(
                "--max-age-days is from \(Freshness.range.lowerBound) to "
                    + "\(Freshness.range.upperBound)")
        }
        return freshness
    }

    func validate() throws { _ = try freshness() }

    func run() throws {
        let catalogue = try source.checked()
        let read = try Folder.names(in: records).filter { $0.hasSuffix(".json") }.sorted().map {
            try EvidenceSources.record(
                try FolderTree.bytes(at: "\(records)/\($0)"), file: "\(records)/\($0)")
        }
        let report = EvidenceReport(
            catalogue: catalogue, records: read, commit: commit, freshness: try freshness())
        try Terminal.print(report.table)
        guard report.isComplete else {
            throw Findings(description: "\(records): not every test of the catalogue is backed")
        }
    }
}
