// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

@testable import Compliance

@Suite("The pages of the catalogue") struct PagesTests {
    private static let pages: [String: String] = {
        let folder = URL(filePath: Checkout.root + "Fixtures/compliance")
        let names = CatalogueReader.fileNames
        let files = names.compactMap { name in
            (try? Data(contentsOf: folder.appending(path: name))).map { (name, $0) }
        }
        let read = try? CatalogueReader.catalogue(from: Dictionary(uniqueKeysWithValues: files))
        return read.map { CompliancePages($0).files } ?? [:]
    }()

    private static func html(_ change: (inout SmallCatalogue) -> Void = { _ in }) throws -> String {
        var small = SmallCatalogue()
        change(&small)
        return try #require(CompliancePages(small.catalogue).files["index.html"])
    }

    // MARK: - Markdown

    /// Anchors of a page: of each heading, as renderers make them.
    private static func anchors(of page: String) -> Set<String> {
        Set(
            page.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
                let title = line.drop { $0 == "#" }.dropFirst()
                return title.lowercased().replacing(" ", with: "-").filter {
                    $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_"
                }
            })
    }

    /// Links of `page` within the folder that lead nowhere.
    private static func brokenLinks(of page: String, among pages: [String: String]) -> [String] {
        page.matches(of: /\]\(([^)#]*)#?([^)]*)\)/).compactMap { match in
            let (file, anchor) = (String(match.1), String(match.2))
            guard !file.hasPrefix("../") else { return nil }
            guard let target = file.isEmpty ? page : pages[file] else { return file }
            guard !anchor.isEmpty, !anchors(of: target).contains(anchor) else { return nil }
            return "\(file)#\(anchor)"
        }
    }

    @Test("a link leads to a page of the folder and to a heading there")
    func links() {
        #expect(Self.pages.count > 10)
        for (name, page) in Self.pages where name.hasSuffix(".md") {
            #expect(Self.brokenLinks(of: page, among: Self.pages) == [], "\(name)")
        }
        let planted = "[a](gdpr.md#nothing) [b](none.md) [c](README.md#status)"
        #expect(
            Self.brokenLinks(of: planted, among: Self.pages) == ["gdpr.md#nothing", "none.md"],
            "positive control")
    }

    @Test("a row says what may be said, what is left to do, its limits and what was corrected")
    func section() throws {
        var small = SmallCatalogue()
        small.requirement = Requirement(
            id: "R-1", framework: "F", reference: "Art. 1", title: "Title", text: "Do it.",
            status: .partial, claims: ["C-1"], permittedClaim: "A part of it.",
            duty: "Do the rest.", correction: "It said “all”.", manual: [.assessment])
        let page = try #require(CompliancePages(small.catalogue).files["f.md"])
        for text in [
            "**What may be said** (`partial`): A part of it.",
            "**What the customer has to do:** Do the rest. To have: `MAN-TIA`",
            "> Corrected: It said “all”.", "- `L-1`: Not the rest.", "- `T-9`: The rest.",
        ] {
            #expect(page.contains(text), "\(text)")
        }
    }

    @Test("scenarios stand on the page about transfers, and say that they are declared")
    func scenarios() throws {
        let transfers = try #require(Self.pages["transfers.md"])
        for number in 1...5 { #expect(transfers.contains("| SC-\(number) |")) }
        #expect(transfers.contains("It is never inferred"))
        #expect(try #require(Self.pages["gdpr.md"]).contains("| SC-1 |") == false)
    }

    // MARK: - HTML

    /// What would make a browser ask somebody else, or run something.
    private static func outside(_ page: String) -> [String] {
        [
            "<script", "<link", "<img", "<iframe", "src=", "url(", "@import", "http:", "https:",
            "//cdn", "javascript:", "onclick", "onload", "style=\"",
        ].filter { page.lowercased().contains($0) }
    }

    @Test("the page of HTML asks for nothing and runs nothing")
    func selfContained() throws {
        let page = try #require(Self.pages["index.html"])
        #expect(Self.outside(page) == [])
        #expect(Self.outside("<SCRIPT src=\"https://x\">").count == 3, "positive control")
        #expect(page.hasPrefix("<!doctype html>\n") && page.hasSuffix("</html>\n"))
    }

    @Test("each id stands once, and each link on the page leads to one")
    func identifiers() throws {
        let page = try #require(Self.pages["index.html"])
        let ids = page.matches(of: /\bid="([^"]+)"/).map { String($0.1) }
        let repeated = Dictionary(grouping: ids) { $0 }.filter { $1.count > 1 }.keys.sorted()
        #expect(repeated == [])
        let targets = page.matches(of: /href="#([^"]+)"/).map { String($0.1) }
        #expect(targets.filter { !ids.contains($0) } == [])
        #expect(targets.count > 500)
    }

    @Test("each filter hides what is not of it, by a rule of style that names it")
    func filters() throws {
        let page = try #require(Self.pages["index.html"])
        for framework in ["GDPR", "EDPB", "ACCESS", "NIS2", "DORA", "ISO27001", "SOC2"] {
            #expect(page.contains("id=\"show-\(framework)\""))
            #expect(
                page.contains(
                    "body:has(#show-\(framework):checked) .framework:not(#\(framework))"))
        }
        for status in Status.allCases {
            let word = status.rawValue
            #expect(page.contains("body:has(#show-status-\(word):checked) .row:not(.\(word))"))
        }
        #expect(page.contains("prefers-color-scheme: dark") && page.contains("@media print"))
    }

    @Test("text is escaped where it is put")
    func escaping() throws {
        let page = try Self.html { small in
            small.claim = SmallCatalogue.claim(text: "<b>&\"</b>")
        }
        #expect(page.contains("&lt;b&gt;&amp;&quot;&lt;/b&gt;") && !page.contains("<b>&"))
    }

    @Test("tags are closed in order")
    func nesting() throws {
        let page = try #require(Self.pages["index.html"])
        let void: Set<String> = ["meta", "br", "input"]
        func unclosed(_ page: String) -> [String] {
            var open: [String] = []
            for match in page.matches(of: /<(\/?)([a-z][a-z0-9]*)[^>]*>/) {
                let name = String(match.2)
                if void.contains(name) { continue }
                if match.1.isEmpty {
                    open.append(name)
                } else if open.last == name {
                    open.removeLast()
                } else {
                    return ["</\(name)> after \(open.last ?? "nothing")"]
                }
            }
            return open
        }
        #expect(unclosed(page) == [])
        #expect(unclosed("<p><b></p>") == ["</p> after b"], "positive control")
    }

    @Test("a status is counted, and the same catalogue gives the same bytes")
    func deterministic() throws {
        let page = try Self.html()
        #expect(page == (try Self.html()))
        #expect(page.contains("Claims: 1. Tests: 1"))
    }
}
