// SPDX-License-Identifier: Apache-2.0

/// Where a version of ours stands: the chart's, and each program's own.
private let chart = "deploy/helm/cloudtaser/Chart.yaml"
private let marks = [
    chart: ["version: ", "appVersion: "],
    "Fixtures/compliance/publication.json": [#""version": ""#],
]
private let programMarks = [#"version = ""#, #"version: ""#]

/// Version that follows a mark in a line; nil when none does.
private func version(in line: String, of file: SourceFile) -> Substring? {
    let isProgram = file.path.hasPrefix("Sources/Executables/") && file.isSwift
    let known = marks[file.path] ?? (isProgram ? programMarks : [])
    for mark in known {
        guard let found = line.firstRange(of: mark) else { continue }
        if file.path == chart, found.lowerBound != line.startIndex { continue }
        // The program's name may go before it. An interpolation is not a version.
        let text = line[found.upperBound...].prefix { $0 != "\"" }
        if let value = text.split(separator: " ").last, value.first?.isNumber == true {
            return value
        }
    }
    return nil
}

let versionRules = [
    Rule(
        name: "The chart and every program say one version",
        control: [
            chart: "apiVersion: v2\nversion: 0.2.0\nappVersion: 0.2.1\n",
            "Fixtures/compliance/publication.json": #"{"version": "0.2.0"}"#,
            "Sources/Executables/a/A.swift": "    static let version = \"0.2.0-dev\"\n",
            "Sources/Executables/b/B.swift":
                "        version: \"b 0.2.0\")\nlet version = \"\\(a)\"\n",
        ],
        planted: ["\(chart):3", "Sources/Executables/a/A.swift:1"],
        check: { repository in
            let chartFile = repository.files.first { $0.path == chart }
            let wanted = chartFile.flatMap { file in
                file.lines.lazy.compactMap { version(in: $0, of: file) }.first
            }
            guard let wanted else { return [] }
            return repository.files.flatMap { file in
                file.lines.indices.compactMap { index -> Finding? in
                    guard let said = version(in: file.lines[index], of: file), said != wanted
                    else { return nil }
                    return Finding(
                        file, line: index, "\(said) may not differ from the chart's, use \(wanted)")
                }
            }
        })
]
