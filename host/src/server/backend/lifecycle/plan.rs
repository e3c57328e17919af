//! What an activation would do, told before it is ordered.

use quorate_wire::{Description, Failure, Rows};

use super::listing::Properties;
use crate::machine::{MachineView, Plan};
use crate::types::{Gate, NodeId, Order, When, format_time};

/// `EXPLAIN ACTIVATE MODULE`.
pub fn explain(view: &MachineView, order: &Order) -> Result<Rows, Failure> {
    let plan = view.plan(order)?;
    let modules = view.modules();
    let target = modules.iter().find(|module| module.manifest.digest == order.to);
    let mut rows = Properties::default();
    if let Some(from) = &plan.from {
        rows.add("From", named(from));
    }
    let name = |node: &NodeId| {
        view.frontend(*node).map_or_else(|| node.to_string(), |frontend| frontend.name())
    };
    if let Some(target) = target {
        let description = &target.description;
        rows.add("To", named(description));
        rows.add("Digest", target.manifest.digest);
        rows.add("Migration", migration(&plan, description));
        rows.add("SignedBy", view.signed_by(target));
        let can = target.acknowledgements.iter().filter(|(_, refusal)| refusal.is_none());
        let can: Vec<String> = can.map(|(node, _)| name(node)).collect();
        rows.add("AcknowledgedBy", can.join(", "));
        for (node, refusal) in &target.acknowledgements {
            if let Some(reason) = refusal {
                rows.add("RefusedBy", format!("{}: {reason}", name(node)));
            }
        }
    }
    let missing: Vec<String> = plan.missing.iter().map(name).collect();
    rows.add("MissingVoters", missing.join(", "));
    rows.add(
        "Gate",
        match order.gate {
            Gate::All => "every voter must have acknowledged it",
            Gate::Quorum => "a majority of the voters; the others wait there until they can run it",
            Gate::One => "any one frontend; all others wait there until they can run it",
        },
    );
    rows.add("TakesEffect", time(view, order.when));
    if plan.breaks.is_empty() {
        rows.add("Breaking", "nothing");
    }
    plan.breaks.iter().for_each(|lost| rows.add("Breaking", lost));
    if !plan.breaks.is_empty() {
        rows.add_some("Token", plan.token);
    }
    let verdict = plan.refusal.as_ref().map_or_else(
        || "it would be activated".to_owned(),
        |refusal| format!("it would be refused: {}", refusal.message),
    );
    rows.add("Verdict", verdict);
    Ok(rows.rows())
}

fn named(description: &Description) -> String {
    let Description { name, version, schema, .. } = description;
    format!("{name}@{version}, schema {schema}")
}

fn migration(plan: &Plan, to: &Description) -> String {
    match plan.schema {
        None => format!("none: there are no rows of '{}' yet", to.name),
        Some(stored) if stored == to.schema => format!("none: the rows have schema {stored}"),
        Some(stored) if to.serves.contains(&stored) => {
            format!("from schema {stored}, step by step while clients work")
        }
        Some(stored) if to.migrates_from.contains(&stored) => {
            format!("from schema {stored}, as a whole: everything waits for it")
        }
        Some(stored) => format!("from schema {stored}: it cannot"),
    }
}

fn time(view: &MachineView, when: When) -> String {
    match when {
        When::Now => "at once".to_owned(),
        When::AtLsn(lsn) => format!("at LSN {lsn}; the newest is {}", view.lsn()),
        When::After(delay_us) => {
            let from_us = view.time_us().saturating_add(delay_us);
            format!("not before {} UTC", format_time(from_us.cast_signed()))
        }
    }
}
