// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

@Suite("Documents") struct DocumentIndexTests {
    private static let folders = ["tutorial", "how-to", "reference", "explanation"]

    @Test("every page is named in the index, and none is empty")
    func index() throws {
        let docs = URL(filePath: Checkout.root).appending(path: "docs")
        let index = try String(
            contentsOf: docs.appending(path: "README.md"), encoding: .utf8)
        var count = 0
        for folder in Self.folders {
            let names = try FileManager.default.contentsOfDirectory(
                atPath: docs.appending(path: folder).path)
            for name in names where name.hasSuffix(".md") {
                count += 1
                #expect(index.contains("(\(folder)/\(name))"), "\(folder)/\(name)")
                let page = docs.appending(path: "\(folder)/\(name)")
                #expect(try Data(contentsOf: page).count > 100, "\(folder)/\(name)")
            }
        }
        #expect(count > 20)
    }
}
