// SPDX-License-Identifier: Apache-2.0
import AgentProtocol

enum AgentHelp {
    static let version = "0.1.0"

    static let text = """
        Deny root access to protected workloads on this node, and report every attempt.

        Usage: cloudtaser-agent run [FLAG...]
               cloudtaser-agent self-test [-o json] [--tier TIER]
               cloudtaser-agent uninstall [--pins PATH]
               cloudtaser-agent help | version

        run        loads the BPF programs, attacks a process of its own to see what is denied, and
                   serves the registration socket until SIGTERM.
        self-test  does the same attacks, prints what was seen for each vector, and leaves nothing
                   behind. Exit code 0: what was tested is denied; 1: something came through.

        uninstall  takes the programs out of the kernel: until then they deny, with or without the
                   agent.

        Flags of run:
          --mode detect|deny|deny+kill  what is done about an attempt (deny)
          --policy AV-NNN=ACTION        another action for one vector: allow, detect, deny,
                                        deny+kill; may be repeated
          --lock-modules                deny module loads instead of reporting them
          --tier auto|lsm|fmod_ret|signal
                                        the form of program that is loaded; auto: the one that
                                        the self-test shows to deny most. signal denies nothing:
                                        it kills whoever attacks, after the call has begun (auto)
          --socket PATH                 where wrappers register (\(Registration.socketPath))
          --listen ADDRESS:PORT|none    /healthz, /readyz, /metrics, /status (127.0.0.1:9464)
          --pins PATH|none              BPF file system that keeps the programs in the kernel when
                                        the agent ends (/sys/fs/bpf)
          --successor same-file|any     who may take the programs over when the agent was killed:
                                        whoever executes the same file, or any process that may use
                                        bpf(2), as in a container (same-file)
          --events WHERE                where events go, one JSON object a line; may be repeated:
                                        stdout (default), file:/PATH, syslog:/dev/log,
                                        syslog:udp://ADDRESS:PORT, syslog:tcp://ADDRESS:PORT,
                                        otlp:http://ADDRESS:PORT/v1/logs
          --event-format native|ocsf    the line itself, or OCSF with the line in raw_data (native)
          --checkpoint-key FILE         Ed25519 key (PEM) that signs the chain of events
          --checkpoint-transit MOUNT/KEY
                                        Ed25519 key of a vault's transit engine that signs it
                                        instead; the vault is named by the wrapper's VAULT_
                                        variables, credentials come from files
          --checkpoint-seconds N        between two checkpoints, and between two tries (60)
          --events-per-second N         per vector, cgroup and processor; 0: no limit (100)
          --heartbeat-seconds N         between two heartbeats (30)
          --wrapper FILE                who executes this file is protected from its first
                                        instruction, before it registers; may be repeated
          --bad-start refuse|report     what is done about a process that registers while
                                        somebody listens at its seccomp filter, answers for its
                                        pages, or while it has an io_uring (refuse)
          --state FILE|none             keeps the measured tiers, so that the next run tells what
                                        changed (none)
          --config FILE                 further flags, one a line; SIGHUP reads mode, policy and
                                        lock-modules anew; the command line counts more

        Examples:
          cloudtaser-agent self-test
          cloudtaser-agent run --mode detect
          cloudtaser-agent run --policy AV-026=detect --listen 0.0.0.0:9464

        Needs root with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN in the host's process namespace, and
        a kernel with BTF. See docs/reference/agent.md.

        """
}
