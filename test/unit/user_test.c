// Users and groups as limpet-init finds them in a node's own files.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "init/user.h"

static void test_user_find(void **state)
{
    static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\nbad line\nweb:x:33:34:w:/srv:\n"
                                 "42:x:7:8::/odd:\nnohome:x:50:50:::";
    static const char group[] = "root:x:0:\nadm:x:4:root,web\nssl:x:9:web\nwebs:x:90:\n";
    static const struct {
        const char *spec;
        int uid, gid;
        size_t groups;
        const char *home;
    } cases[] = {
        {NULL, 0, 0, 1, "/root"},   {"", 0, 0, 1, "/root"},          {"web", 33, 34, 2, "/srv"},
        {"33", 33, 34, 2, "/srv"},  {"web:webs", 33, 90, 0, "/srv"}, {"web:5", 33, 5, 0, "/srv"},
        {"1234", 1234, 0, 0, "/"},  {"1234:77", 1234, 77, 0, "/"},   {"42", 7, 8, 0, "/odd"},
        {"nohome", 50, 50, 0, "/"},
    };
    static const char *const wrong[] = {"bad", "4294967295", "-1", "web:", "web:none", ":0", "1x"};
    struct lp_user user;
    struct lp_err err;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(lp_user_find(cases[i].spec, passwd, group, &user, &err), 0);
        assert_int_equal(user.uid, cases[i].uid);
        assert_int_equal(user.gid, cases[i].gid);
        assert_int_equal(user.group_count, cases[i].groups);
        assert_string_equal(user.home, cases[i].home);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(lp_user_find(wrong[i], passwd, group, &user, &err), LP_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
