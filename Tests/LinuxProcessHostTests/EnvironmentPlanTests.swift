// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import LinuxProcessHost

@Suite("What is passed on of an environment")
struct EnvironmentPlanTests {
    @Test("Delivered entries are replaced where they are; a program's own are passed on")
    func replacement() {
        var plan = EnvironmentPlan()
        plan.add(0x10, .unrelated)
        #expect(!plan.needsPrivateArray)
        plan.add(0x20, .holds(entry: 1))
        plan.add(0x30, .unrelated)
        #expect(plan.pointers == [0x10, 0x20, 0x30])
        #expect(plan.fills == [EnvironmentPlan.Fill(position: 1, entry: 1)])
        #expect(plan.needsPrivateArray)
    }

    @Test("A pointer into the middle of the values is left out, and later positions follow")
    func insideRegion() {
        var plan = EnvironmentPlan()
        plan.add(0x10, .insideRegion)
        plan.add(0x20, .holds(entry: 0))
        #expect(plan.pointers == [0x20])
        #expect(plan.fills == [EnvironmentPlan.Fill(position: 0, entry: 0)])
    }
}

@Suite("The stack of an image that has not run")
struct FreshStackTests {
    private func stack(_ words: [UInt64], at start: UInt64 = 0x1000) -> FreshStack? {
        FreshStack(stackPointer: start) { address in
            let index = Int(address - start) / 8
            return words.indices.contains(index) ? words[index] : nil
        }
    }

    @Test("Environment slots and the vDSO are found behind the arguments")
    func whole() {
        let found = stack([2, 0xa, 0xb, 0, 0xc, 0xd, 0, 6, 4096, 33, 0x7000, 0, 0])
        #expect(found?.environmentSlots == 0x1000 + 8 * 4)
        #expect(found?.environment == [0xc, 0xd])
        #expect(found?.vdso == 0x7000)
    }

    @Test("An empty environment, and no vDSO")
    func empty() {
        let found = stack([1, 0xa, 0, 0, 0, 0])
        #expect(found?.environment == [])
        #expect(found != nil && found?.vdso == nil)
    }

    @Test("A stack that ends too early is refused")
    func truncated() {
        #expect(stack([]) == nil)
        #expect(stack([1, 0xa, 0, 0xc]) == nil)
        #expect(stack([1, 0xa, 0, 0xc, 0, 33]) == nil)
    }
}

@Suite("The supervisor's pages in an image")
struct DeliveryAreaTests {
    @Test("Parts do not overlap, and the region has inaccessible neighbours")
    func layout() {
        for (region, placeholders) in [(1, 1), (4096, 4096), (4097, 4097), (1 << 22, 9000)] {
            let area = DeliveryArea(
                base: 0x7000_0000, regionBytes: region, placeholderBytes: placeholders)
            #expect(area.region == area.base + 4096)
            #expect(area.regionBytes >= UInt64(region))
            #expect(area.placeholders == area.region + area.regionBytes + 4096)
            #expect(area.code >= area.placeholders + UInt64(placeholders))
            #expect(area.slots == area.code + 4096)
            let last = area.slot(DeliveryArea.slotCount - 1) + DeliveryArea.slotBytes
            #expect(area.temporary == last)
            #expect(area.base + area.totalBytes >= area.temporary + area.regionBytes + 4096)
        }
    }

    @Test("Moving keeps the shape; addresses are told to be in the region or not")
    func moving() {
        let shape = DeliveryArea(base: 0, regionBytes: 5000, placeholderBytes: 100)
        let area = shape.moved(to: 0x5000_0000)
        #expect(area.totalBytes == shape.totalBytes)
        #expect(area.isInRegion(area.region))
        #expect(area.isInRegion(area.region + area.regionBytes - 1))
        #expect(!area.isInRegion(area.region + area.regionBytes))
        #expect(!area.isInRegion(area.region - 1))
    }

    @Test("A mapping's line is parsed; others are not")
    func mappings() {
        let line = Array("7f00deadb000-7f00deadd000 rw-p 00000000 00:00 0 \n".utf8)
        let expected = ProcessMappings.Mapping(start: 0x7f00_dead_b000, bytes: 0x2000)
        #expect(ProcessMappings.parse(line[...]) == expected)
        #expect(ProcessMappings.parse(Array("nonsense".utf8)[...]) == nil)
        #expect(ProcessMappings.parse(Array("5-4 rw-p".utf8)[...]) == nil)
    }

    @Test("Slots are given out once each, and again when they come back")
    func slots() {
        let pool = SlotPool()
        let taken = (0..<DeliveryArea.slotCount).compactMap { _ in pool.take() }
        #expect(Set(taken).count == DeliveryArea.slotCount)
        #expect(pool.take() == nil)
        pool.giveBack(3)
        #expect(pool.take() == 3)
    }
}

@Suite("Faults for tests")
struct FaultCounterTests {
    @Test("A fault strikes at its step's n-th arrival only")
    func occurrence() {
        let fault = DeliveryFault(step: .mapRegion, kind: .fail, occurrence: 2)
        var counter = FaultCounter(faults: [fault])
        #expect(counter.arrive(at: .mapRegion) == nil)
        #expect(counter.arrive(at: .reserveArea) == nil)
        #expect(counter.arrive(at: .mapRegion) == .fail)
        #expect(counter.arrive(at: .mapRegion) == nil)
    }

    @Test("Without faults nothing is counted")
    func production() {
        var counter = FaultCounter(faults: [])
        for step in SpliceStep.allCases { #expect(counter.arrive(at: step) == nil) }
    }

    @Test("Steps have distinct names for the command line")
    func names() {
        let names = SpliceStep.allCases.map(\.rawValue)
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { !$0.contains(":") })
    }
}
