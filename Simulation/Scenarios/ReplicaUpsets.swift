// SPDX-License-Identifier: Apache-2.0
internal import SimulationEngine

extension SimulationRun {
    /// Up to three upsets of a replica. When each comes, of which kind it is and how long it lasts
    /// is drawn.
    func drawUpsets(
        in seconds: ClosedRange<Int>, secondsMax: Int, kinds: Int,
        _ upset: @escaping (_ kind: Int, _ length: Duration) -> Void
    ) {
        for _ in 0..<choices.draw(below: 4, label: "workload/upsets") {
            let second = choices.draw(in: seconds, label: "workload/time")
            let length = choices.draw(in: 1...secondsMax, label: "workload/length")
            let kind = choices.draw(below: kinds, label: "workload/kind")
            after(.seconds(second)) { upset(kind, .seconds(length)) }
        }
    }
}
