// SPDX-License-Identifier: Apache-2.0
import Injection
import Testing

@Suite struct `What refusals say` {
    @Test(arguments: [
        "vault:secret/CANARY/db#a", "vault:secret/shop/../CANARY#a", "vault:CANARY#a",
        "vault:secret/shop/CANARY,x#a", "vault:secret/shop/CANARY?a#a", "vault:secret/CANARY?a=b#a",
        "vault:secret/shop/x#a=CANARY;b", "vault:secret/shop/db#CANARY,b",
    ])
    func `no message holds a path that an entry refers to`(value: String) throws {
        let refused = Case().changed {
            $0.changeContainer {
                $0["env"] = .array([.members(["name": .text("A"), "value": .text(value)])])
            }
        }
        let refusals = try refused.refusals()
        #expect(!refusals.isEmpty)
        #expect(refusals.allSatisfy { !$0.message.contains("CANARY") }, "\(refusals)")
        // The control: an annotation's path is told, which stands in plain sight.
        let annotated = Case().changed { $0.annotate("secret-paths", "secret/CANARY") }
        #expect(try annotated.refusals().first?.message.contains("CANARY") == true)
    }

    @Test func `no message holds a value of the environment`() throws {
        for trap in Trap.references {
            let refused = Case().changed(trap.change).changed {
                $0.changeContainer { web in
                    let entries = (web["env"]?.elements ?? []).map { entry in
                        Tree.members([
                            "name": entry["name"] ?? .text(""),
                            "value": .text((entry["value"]?.text ?? "") + "CANARY"),
                        ])
                    }
                    web["env"] = .array(entries)
                }
            }
            for refusal in try refused.refusals() {
                #expect(!refusal.message.contains("CANARY"), "\(trap.name)")
            }
        }
    }
}
