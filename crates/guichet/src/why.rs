//! `guichet why`: what was decided about one call, and for what reason, in words for an operator.
//!
//! It reads the audit records that the services keep, beside a running bank or without one, and changes nothing.

use std::fmt::Write;

use aaa::Decision;
use store::Store;
use vocabulary::Clock;

use crate::cli::Why;
use crate::house::monitors_own;
use crate::rooms::SERVICES_WITH_STORES;
use crate::settings::{Databases, Settings};
use crate::{Failure, say};

pub(crate) async fn explain(arguments: Why) -> Result<(), Failure> {
    let settings = Settings::of_place(&arguments.place)?;
    let trace_id = arguments.trace_id.trim();
    if trace_id.len() != 32 || !trace_id.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Err(Failure::Settings(
            "a trace id is 32 hexadecimal digits: the `trace_id` of the answer, or its header x-trace-id".into(),
        ));
    }
    let mut found = Vec::new();
    for (service, migrations) in SERVICES_WITH_STORES {
        if let Databases::Directory(directory) = &settings.databases
            && !directory.join(format!("{service}.sqlite")).exists()
        {
            return Err(Failure::Settings(format!(
                "there is no bank in {}: name its data directory with --data-dir, or its databases with --database",
                directory.display()
            )));
        }
        let database = match service {
            contracts::monitor::SERVICE => monitors_own(&settings.log_dir),
            service => settings.databases.of(service)?,
        };
        let store = Store::open(&database, migrations, Clock::system()).await?;
        for payload in store.audited(&trace_id.to_lowercase()).await? {
            let decision: Decision = serde_json::from_str(&payload)
                .map_err(|error| Failure::Settings(format!("an audit record of {service} is unreadable: {error}")))?;
            found.push((service, decision));
        }
    }
    found.sort_by_key(|(_, decision)| decision.at);
    if found.is_empty() {
        return Err(Failure::Settings(format!(
            "no decision is recorded under {trace_id}. Open reads are not recorded, and records are kept for {} days",
            crate::rooms::AUDIT_KEPT.as_secs() / 86_400
        )));
    }
    if arguments.json {
        let decisions: Vec<_> = found.iter().map(|(_, decision)| decision).collect();
        return crate::say_json(&decisions);
    }
    say(&found.iter().map(|(service, decision)| told(service, decision)).collect::<Vec<_>>().join("\n"))
}

/// One decision as a few lines.
fn told(service: &str, decision: &Decision) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:9} {value}");
    };
    let code = decision.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    line("answered", &format!("{}{code}", decision.status));
    line("path", &decision.path);
    line("policy", &decision.policy);
    let groups = if decision.groups.is_empty() { "in no group".into() } else { decision.groups.join(", ") };
    let by = match (&decision.login, &decision.by, &decision.scheme) {
        (Some(login), Some(id), scheme) => {
            format!("{login} ({id}), {groups}, by {}", scheme.as_deref().unwrap_or("an unknown credential"))
        }
        _ => "nobody who is known".to_owned(),
    };
    line("by", &by);
    if let Some(object) = &decision.object {
        line("object", object);
    }
    line("from", decision.client.as_deref().unwrap_or("within the process"));
    line("why", &why(decision));
    format!("{}  {}  {service}\n{text}", decision.at, decision.operation)
}

/// The reason, as far as the record tells it.
fn why(decision: &Decision) -> String {
    match (&decision.cause, decision.status) {
        (Some(cause), _) => cause.clone(),
        (None, 0..400) => "granted".into(),
        (None, 400) => "the request has mistakes, which its answer names".into(),
        (None, 401) => "it is not known who asked".into(),
        (None, 403) => "the policy does not admit them".into(),
        (None, 404) => "the object is not there, or they may not see it".into(),
        (None, 409 | 422) => "a rule or the state of things forbids it, as the answer says".into(),
        (None, _) => "no reason was recorded".into(),
    }
}
