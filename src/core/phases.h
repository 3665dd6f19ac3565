// The data flow of one step. Each phase writes its own fields and reads only earlier ones:
//
//   absorb     event               -> what is wanted, what is seen
//   detect     readings, silence   -> suspicions (application SUSPECT, node mute for too long)
//   diagnose   suspicions, exits   -> faults (what broke: application, node, many at once)
//   repair     faults, budgets     -> fixes (restart here, fence, give up; not before when)
//   scale      wanted replicas     -> node rows
//   schedule   nodes without host  -> places
//   reconcile  wanted, seen, fixes -> the plan
//
// Source: [S1] III (detection and repair at application, node and host level).
#pragma once

#include "core/tables.h"
#include "model/event.h"

// absorb.c, absorb_want.c
void lp_absorb(struct lp_state *s, const struct lp_event *event);
void lp_absorb_want(struct lp_state *s, const struct lp_event *event);

// detect.c: of one node that is up.
void lp_detect_reading(struct lp_state *s, uint32_t node, uint32_t app, bool is_ok);
void lp_detect_suspicion(struct lp_state *s, uint32_t node, uint32_t app);
bool lp_detect_is_mute(const struct lp_state *s, const struct lp_node_inside *node);

// diagnose.c: a fault came to light; it counts against the brake. Or only a sensor says so: that
// counts against the brake of its host as well.
void lp_diagnose_fault(struct lp_state *s, uint32_t node);
void lp_diagnose_silence(struct lp_state *s, uint32_t node);
bool lp_diagnose_may_trust_sensors(struct lp_state *s, uint32_t node, int64_t *ret_wait_until_ms);
void lp_diagnose_release(struct lp_state *s, uint32_t node); // the next one's turn
bool lp_diagnose_brake_ended(struct lp_state *s, uint32_t service);
bool lp_diagnose_may_repair(struct lp_state *s, uint32_t node, int64_t *ret_wait_until_ms);

// faults.c: faults on purpose, as asked and as seen.
void lp_fault_absorb(struct lp_state *s, const struct lp_event *event);
void lp_faults_daemon_started(struct lp_state *s);
bool lp_fault_app_runs(const struct lp_state *state, uint32_t node, uint32_t app);
struct lp_action lp_fault_action(const struct lp_fault_row *row, uint32_t id); // no kind yet

// repair.c
void lp_repair_app(struct lp_state *s, uint32_t node, uint32_t app, struct lp_because because);
void lp_repair_node(struct lp_state *s, uint32_t node, struct lp_because because,
                    bool is_start_failure);
void lp_repair_healthy(struct lp_state *s, uint32_t node);     // it became healthy
void lp_repair_was_healthy(struct lp_state *s, uint32_t node); // and no longer is
void lp_repair_forgive(struct lp_state *s, uint32_t node);     // budgets begin anew

// scale.c
void lp_scale_service(struct lp_state *s, uint32_t service);
void lp_scale_members_changed(struct lp_state *s, uint32_t service);

// schedule.c
uint32_t lp_schedule_place(struct lp_state *s, uint32_t node); // LP_NONE: fits nowhere
uint64_t lp_schedule_room(const struct lp_host *host);         // bytes that it can still take
void lp_schedule_release(struct lp_state *s, uint32_t node);
void lp_schedule_host_changed(struct lp_state *s, uint32_t host);

// reconcile.c (nodes), reconcile_app.c, reconcile_rest.c (images, networks, names)
struct lp_planner { // where actions go
    struct lp_plan *plan;
    int64_t due_ms; // of the row being looked at: look again then
};
void lp_reconcile_node(struct lp_state *s, uint32_t node, struct lp_planner *planner);
void lp_reconcile_apps(struct lp_state *s, uint32_t node, struct lp_planner *planner);
void lp_reconcile_infra(struct lp_state *s, uint32_t infra, struct lp_planner *planner);
void lp_reconcile_image(struct lp_state *s, uint32_t image, struct lp_planner *planner);
void lp_reconcile_fault(struct lp_state *s, uint32_t fault, struct lp_planner *planner);

// gates.c: may it start yet?
bool lp_gate_node(struct lp_state *s, uint32_t node);
bool lp_gate_app(struct lp_state *s, uint32_t node, uint32_t app);
void lp_gate_service_changed(struct lp_state *s, uint32_t service); // counts crossed a condition

// orders.c: give an order, or the same again when nothing was heard in time.
struct lp_because lp_because_of(const struct lp_state *s, enum lp_reason reason, uint32_t a);
struct lp_action *lp_order_give(struct lp_state *s, struct lp_order_slot *slot,
                                struct lp_planner *planner, const struct lp_action *order);
bool lp_order_is_due(const struct lp_state *s, const struct lp_order_slot *slot);
void lp_order_clear(struct lp_order_slot *slot);
bool lp_plan_has_room(const struct lp_planner *planner, size_t actions);
void lp_planner_wait(struct lp_planner *planner, int64_t due_ms);
