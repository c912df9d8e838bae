// SPDX-License-Identifier: Apache-2.0
#include "victim.h"

static int number(char **arguments, int count, int at) {
    return at < count ? atoi(arguments[at]) : 0;
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count > 2 && !strcmp(arguments[1], "clean")) {
        close_range(3, ~0U, 0);
        execv(arguments[2], arguments + 2);
        return exit_launch_failed;
    }
    const char *what = count > 1 ? arguments[1] : "";
    if (!getenv("SUITE_VICTIM") && arguments[0][0] == '/') setenv("SUITE_VICTIM", arguments[0], 1);
    if (!strcmp(what, "leaf") && count > 2) return report(arguments[2]);
    if (!strcmp(what, "leaf-stdin") && count > 2) return report_standard_input(arguments[2]);
    if (!strcmp(what, "run")) {
        for (int i = 2; i < count; i++) {
            int status = run_primitive(arguments[i]);
            if (status) return status;
        }
        return 0;
    }
    int restarting = strstr(what, "restarting") != NULL;
    if (!strncmp(what, "storm", 5))
        return storm(number(arguments, count, 2), arguments + 3, restarting);
    if (!strncmp(what, "failing-storm", 13))
        return failing_exec_storm(number(arguments, count, 2), restarting);
    if (!strcmp(what, "leave-threads")) return leave_threads(number(arguments, count, 2));
    if (!strcmp(what, "busy"))
        return busy(number(arguments, count, 2), number(arguments, count, 3));
    if (!strcmp(what, "wipe")) return wipe_in_child();
    if (!strcmp(what, "edit")) return edit_in_place();
    if (!strcmp(what, "seize")) return seize(number(arguments, count, 2));
    if (!strcmp(what, "restricted-calls")) return restricted_calls();
    if (!strcmp(what, "own-listener")) return own_listener();
    if (!strcmp(what, "crowd")) return crowd(number(arguments, count, 2));
    if (!strcmp(what, "unshare-network") && count > 2) return unshare_network(arguments + 2);
    if (!strcmp(what, "deny") && count > 3) return deny(arguments[2], arguments + 3);
    if (!strcmp(what, "occupy-listener") && count > 2) return occupy_listener(arguments + 2);
    if (!strcmp(what, "fork-beside-execs")) return fork_beside_execs(number(arguments, count, 2));
    if (!strcmp(what, "refuse-exec")) return refuse_exec();
    if (!strcmp(what, "lose-child-in-exec")) return lose_child_in_exec();
    if (!strcmp(what, "stop-during-exec")) return stop_during_exec();
    if (!strcmp(what, "check")) return check_image(count > 2 ? arguments[2] : "");
    if (!strcmp(what, "watch-exec")) return watch_exec(number(arguments, count, 2));
    if (!strcmp(what, "race-execs")) return race_execs(number(arguments, count, 2));
    if (!strcmp(what, "probe")) return probe();
    fprintf(stderr, "usage: victim WHAT ARGS...\n");
    return 2;
}
