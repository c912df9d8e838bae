# SPDX-License-Identifier: Apache-2.0
"""What Pod Security's level "restricted" refuses of a pod that runs on Linux.

After https://kubernetes.io/docs/concepts/security/pod-security-standards/, by hand: the admission plugin that
knows it is not to be had here. Each complaint begins with the field.
"""

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
           "projected", "secret"}
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}
SELINUX_TYPES = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
PROFILES = {"RuntimeDefault", "Localhost"}
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def complaints(pod):
    """Of an object with metadata and spec, like a pod or its template."""
    spec = pod["spec"]
    outer = spec.get("securityContext") or {}
    for field in "hostPID", "hostIPC", "hostNetwork":
        if spec.get(field):
            yield field
    for volume in spec.get("volumes") or []:
        for source in set(volume) - {"name"} - VOLUMES:
            yield f"volumes[{volume['name']}].{source}"
    for name, profile in ((pod.get("metadata") or {}).get("annotations") or {}).items():
        if name.startswith(APPARMOR) and not (
                profile == "runtime/default" or profile.startswith("localhost/")):
            yield f"annotations[{name}]"
    for sysctl in outer.get("sysctls") or []:
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctls[{sysctl['name']}]"
    yield from _identity(outer, "securityContext")
    for kind in "initContainers", "containers", "ephemeralContainers":
        for container in spec.get(kind) or []:
            for complaint in _container(container, outer):
                yield f"{container['name']}.{complaint}"


def _identity(context, place):
    """What a pod and a container may both say."""
    if context.get("runAsUser") == 0:
        yield f"{place}.runAsUser"
    options = context.get("seLinuxOptions") or {}
    if options.get("type") not in SELINUX_TYPES or options.get("user") or options.get("role"):
        yield f"{place}.seLinuxOptions"
    profile = (context.get("appArmorProfile") or {}).get("type")
    if profile and profile not in PROFILES:
        yield f"{place}.appArmorProfile"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield f"{place}.windowsOptions"


def _container(container, outer):
    context = container.get("securityContext") or {}
    yield from _identity(context, "securityContext")
    if context.get("privileged"):
        yield "securityContext.privileged"
    if context.get("procMount", "Default") != "Default":
        yield "securityContext.procMount"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "securityContext.allowPrivilegeEscalation"
    if context.get("runAsNonRoot", outer.get("runAsNonRoot")) is not True:
        yield "securityContext.runAsNonRoot"
    profile = (context.get("seccompProfile") or outer.get("seccompProfile") or {}).get("type")
    if profile not in PROFILES:
        yield "securityContext.seccompProfile"
    capabilities = context.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []):
        yield "securityContext.capabilities.drop"
    for name in capabilities.get("add") or []:
        if name != "NET_BIND_SERVICE":
            yield f"securityContext.capabilities.add[{name}]"
    for port in container.get("ports") or []:
        if port.get("hostPort"):
            yield "ports.hostPort"
    for probe in "livenessProbe", "readinessProbe", "startupProbe":
        for action in "httpGet", "tcpSocket":
            if ((container.get(probe) or {}).get(action) or {}).get("host"):
                yield f"{probe}.{action}.host"
