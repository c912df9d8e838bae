// SPDX-License-Identifier: Apache-2.0
// LIM-KMOD-01: what a loaded module can do. Maps the page behind an address of a process, whatever
// was taken out of the kernel's own map, and shows what is there as its parameter `value`.
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

// Symbols are offered to modules under a GPL-compatible licence.
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Reads a page of a process for a VM test");

static int process;
module_param(process, int, 0);
static unsigned long address;
module_param(address, ulong, 0);
static char value[65];
module_param_string(value, value, sizeof value, 0400);

static struct page *page_of(struct mm_struct *mm, unsigned long place) {
    pgd_t *pgd = pgd_offset(mm, place);
    if (pgd_none(*pgd)) return NULL;
    p4d_t *p4d = p4d_offset(pgd, place);
    if (p4d_none(*p4d)) return NULL;
    pud_t *pud = pud_offset(p4d, place);
    if (pud_none(*pud)) return NULL;
    pmd_t *pmd = pmd_offset(pud, place);
    if (pmd_none(*pmd) || pmd_large(*pmd)) return NULL;
    pte_t *pte = pte_offset_kernel(pmd, place);
    return pte_present(*pte) ? pte_page(*pte) : NULL;
}

static int copy_from(struct mm_struct *mm) {
    struct page *page;
    mmap_read_lock(mm);
    page = page_of(mm, address);
    mmap_read_unlock(mm);
    if (page == NULL) return -EFAULT;
    void *mapped = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
    if (mapped == NULL) return -ENOMEM;
    size_t offset = offset_in_page(address);
    size_t count = min_t(size_t, sizeof value - 1, PAGE_SIZE - offset);
    memcpy(value, (char *)mapped + offset, count);
    vunmap(mapped);
    return 0;
}

static int __init start(void) {
    struct pid *id = find_get_pid(process);
    struct task_struct *task = get_pid_task(id, PIDTYPE_PID);
    put_pid(id);
    if (task == NULL) return -ESRCH;
    struct mm_struct *mm = get_task_mm(task);
    put_task_struct(task);
    if (mm == NULL) return -ESRCH;
    int result = copy_from(mm);
    mmput(mm);
    return result;
}

static void __exit end(void) { memzero_explicit(value, sizeof value); }

module_init(start);
module_exit(end);
