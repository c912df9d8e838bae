// SPDX-License-Identifier: Apache-2.0

extension ComplianceHTML {
    /// Light and dark, a narrow screen, and paper. Colours keep 4.5 to 1 against what is behind.
    static let style = """
        :root {
          --back: #fbfbfa; --card: #ffffff; --text: #1c1f23; --dim: #565c64; --line: #d9dce0;
          --link: #0b57a4; --direct: #17603a; --partial: #7a4b00; --indirect: #35518f;
          --manual: #6b3a86; --none: #565c64;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --back: #14171a; --card: #1c2024; --text: #e6e8ea; --dim: #a3aab2; --line: #343a41;
            --link: #7db8f2; --direct: #79cf9c; --partial: #e5b35c; --indirect: #9db6ec;
            --manual: #cda2e6; --none: #a3aab2;
          }
        }
        * { box-sizing: border-box }
        html { scroll-behavior: smooth; scroll-padding-top: 1rem }
        body {
          margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem; background: var(--back);
          color: var(--text); font: 1rem/1.55 system-ui, "Segoe UI", Roboto, sans-serif;
        }
        h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem }
        h2 { font-size: 1.4rem; margin: 3rem 0 .75rem }
        h3 { font-size: 1.15rem; margin: 2rem 0 .25rem }
        h4 { font-size: 1rem; margin: 0; flex: 1 1 20rem }
        a { color: var(--link); text-underline-offset: .15em }
        code { font: .9em ui-monospace, "SF Mono", Menlo, Consolas, monospace }
        .lead { font-size: 1.1rem; max-width: 46rem }
        .source { color: var(--dim); margin: 0 0 1rem; font-size: .9rem }
        nav a { margin-right: 1rem; white-space: nowrap }
        .legend { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1rem }
        .legend dd { margin: 0 }
        .filters {
          display: grid; gap: .75rem; padding: 1rem; margin-top: 2rem;
          border: 1px solid var(--line); border-radius: .5rem; background: var(--card);
        }
        fieldset {
          border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1rem;
        }
        legend { float: left; width: 5rem; font-weight: 600 }
        label { cursor: pointer }
        .row {
          background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
          padding: 1rem 1.25rem; margin: .9rem 0; break-inside: avoid;
        }
        .row > header { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: baseline }
        .row:target { outline: 2px solid var(--link) }
        .ref { color: var(--dim); font-weight: 400 }
        .ref::after { content: " ·" }
        .id { font-size: .85rem; color: var(--dim) }
        .asked { margin: .5rem 0 .75rem; color: var(--dim) }
        .row dl { display: grid; grid-template-columns: 8rem 1fr; gap: .4rem 1rem; margin: 0 }
        .row dt { color: var(--dim) }
        .row dd { margin: 0; min-width: 0; overflow-wrap: anywhere }
        .row ul { margin: .25rem 0; padding-left: 1.1rem }
        summary { cursor: pointer }
        dd > a, td > a { white-space: nowrap; margin-right: .25rem }
        .corrected { color: var(--dim); font-size: .92rem }
        p.corrected { margin: .35rem 0 0 }
        .badge {
          display: inline-block; border: 1px solid currentColor; border-radius: 1rem;
          padding: 0 .6rem; font-size: .82rem; font-weight: 600;
        }
        .badge.direct { color: var(--direct) } .badge.partial { color: var(--partial) }
        .badge.indirect { color: var(--indirect) } .badge.manual { color: var(--manual) }
        .badge.none { color: var(--none) }
        .wide { overflow-x: auto }
        table { border-collapse: collapse; font-size: .92rem }
        th, td { text-align: left; vertical-align: top; padding: .45rem 1.2rem .45rem 0;
          border-bottom: 1px solid var(--line) }
        thead th { color: var(--dim); font-weight: 600 }
        tbody th { font-weight: 600 }
        .counts td { font-variant-numeric: tabular-nums }
        @media (max-width: 40rem) {
          .row dl { grid-template-columns: 1fr; gap: .1rem }
          .row dd { margin-bottom: .5rem }
          legend { float: none; width: auto }
          .counts th, .counts td { padding-right: .5rem; font-size: .85rem }
        }
        @media print {
          :root {
            --back: #fff; --card: #fff; --text: #000; --dim: #333; --line: #999; --link: #000;
          }
          body { max-width: none; padding: 0; font-size: 9.5pt }
          .filters, nav { display: none }
          details::details-content { content-visibility: visible; height: auto }
          summary { list-style: none }
          h2, h3 { break-after: avoid }
          .wide { overflow: visible }
        }

        """
}
