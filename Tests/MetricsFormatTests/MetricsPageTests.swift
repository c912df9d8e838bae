// SPDX-License-Identifier: Apache-2.0
import MetricsFormat
import Testing

@Suite struct `A page of metrics` {
    @Test func `has each family with its samples in order`() {
        var page = MetricsPage()
        page.family(
            "requests_total", .counter, "Requests.",
            [(["code": "b"], 2), (["code": "a"], 1.5)])
        #expect(
            page.text == """
                # HELP requests_total Requests.
                # TYPE requests_total counter
                requests_total{code="a"} 1.5
                requests_total{code="b"} 2

                """)
    }

    @Test func `adds up what is below each bound of a histogram`() {
        var page = MetricsPage()
        page.histogram(
            "seconds", "Time.", bounds: [0.1, 1],
            [.init(labels: [:], counts: [3, 2], count: 6, sum: 9.5)])
        let lines = page.text.split(separator: "\n").map(String.init)
        #expect(lines.contains(#"seconds_bucket{le="0.1"} 3"#))
        #expect(lines.contains(#"seconds_bucket{le="1"} 5"#))
        #expect(lines.contains(#"seconds_bucket{le="+Inf"} 6"#))
        #expect(lines.contains("seconds_sum 9.5") && lines.contains("seconds_count 6"))
    }

    @Test func `keeps a label from ending its line`() {
        var page = MetricsPage()
        page.family("a_total", .counter, "A.", [(["name": "x\"\n\\"], 1)])
        #expect(page.text.contains(#"a_total{name="x\"\n\\"} 1"#))
    }
}
