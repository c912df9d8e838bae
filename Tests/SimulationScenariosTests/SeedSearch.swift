// SPDX-License-Identifier: Apache-2.0

/// Seeds in which a mistake is looked for, one after the other. The one that showed it last comes
/// first: it need not show it any more when something has changed, and then the others are played.
func seeds(upTo max: UInt64, knownToShow known: UInt64) -> LazySequence<[UInt64]> {
    ([known] + (1...max).filter { $0 != known }).lazy
}
