// SPDX-License-Identifier: Apache-2.0
package import Delivery
package import WrapperConfiguration

/// What decides about a run besides what happens in it.
package struct WrapperPlan: Sendable, Equatable {
    /// At least one.
    package var requestCount: Int
    package var rotation = RotationStrategy.none
    /// The token was obtained by logging in, so it is this run's to revoke.
    package var ownsToken = true
    /// Logging in once more can give another token.
    package var canLogInAgain = true
    /// Whether the node's agent is asked for its protection first.
    package var agent = AgentPolicy.none
    /// How the values reach the program; an index that can be scanned for goes with `splice` only.
    package var delivery = DeliveryMode.splice
    /// For everything before the program's start.
    package var fetchLimit = Duration.seconds(60)
    package var checkInterval = Duration.seconds(300)
    package var stopGrace = Duration.seconds(30)

    /// For all revocations at the end: a vault that hangs must not keep a container from ending.
    package static let revocationLimit = Duration.seconds(10)

    package init(requestCount: Int) {
        precondition(requestCount > 0, "the settings parser refuses an empty list")
        self.requestCount = requestCount
    }

    package init(_ settings: WrapperSettings) {
        self.init(requestCount: settings.requests.count)
        rotation = settings.life.rotation
        if case .token(let file) = settings.vault.auth {
            ownsToken = false
            canLogInAgain = file != nil
        }
        agent = settings.agent
        delivery = settings.delivery
        fetchLimit = .seconds(settings.life.fetchSecondsMax)
        checkInterval = .seconds(settings.life.checkSeconds)
        stopGrace = .seconds(settings.life.stopSeconds)
    }
}
