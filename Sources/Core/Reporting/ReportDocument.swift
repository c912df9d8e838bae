// SPDX-License-Identifier: Apache-2.0

/// A report before it has a form: the same content as text, Markdown and HTML.
package struct ReportDocument: Sendable, Equatable {
    /// One number of the first screen.
    package struct Figure: Sendable, Equatable {
        package enum Tone: String, Sendable { case good, bad, neutral }

        package let label: String
        package let value: String
        package let tone: Tone

        package init(_ label: String, _ value: String, _ tone: Tone = .neutral) {
            self.label = label
            self.value = value
            self.tone = tone
        }
    }

    package struct Table: Sendable, Equatable {
        package let head: [String]
        /// Each as long as `head`.
        package let rows: [[String]]

        package init(_ head: [String], _ rows: [[String]]) {
            self.head = head
            self.rows = rows
        }
    }

    package struct Section: Sendable, Equatable {
        package let title: String
        /// Paragraphs before the table.
        package let text: [String]
        package let table: Table?

        package init(_ title: String, text: [String] = [], table: Table? = nil) {
            self.title = title
            self.text = text
            self.table = table
        }
    }

    package let title: String
    /// Names and values: what was looked at, when, by what.
    package let header: [(name: String, value: String)]
    /// One sentence that says how it is.
    package let verdict: String
    package let figures: [Figure]
    package let sections: [Section]

    package init(
        title: String, header: [(name: String, value: String)], verdict: String,
        figures: [Figure], sections: [Section]
    ) {
        self.title = title
        self.header = header
        self.verdict = verdict
        self.figures = figures
        self.sections = sections
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.title == right.title && left.verdict == right.verdict
            && left.header.map(\.name) == right.header.map(\.name)
            && left.header.map(\.value) == right.header.map(\.value)
            && left.figures == right.figures && left.sections == right.sections
    }
}
