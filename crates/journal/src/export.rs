//! Entries as a file: what a list would show when the file is asked for, page by page, as it is taken.

use aaa::{Call, Principal, Problem, Streamed};
use contracts::events::Action;
use contracts::journal::{ExportLogs, FileFormat, LogEntry};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;

use crate::entry::Place;
use crate::error::Error;
use crate::search::Asked;
use crate::service::Journal;
use crate::store::log::size;
use crate::store::search::{Spots, entries_at, spots};

/// Most entries of a file.
const MOST: usize = 100_000;
/// Entries that are in memory at a time.
const AT_ONCE: i64 = 500;
/// What stands at the end of a file that has room for no more.
const MORE: &str = "Only the newest 100 000 entries are in this file: narrow the period for the others.";
const COLUMNS: &str = "id,at,source,audience,level,action,actor,subject,subject_id,message,details,trace_id\r\n";

/// The entries that the caller may see and asked for, as a file.
pub(crate) async fn export_logs(journal: Journal, call: Call<ExportLogs, Journal>) -> Result<Streamed, Error> {
    let (by, filter, format) = (call.by().clone(), call.request.filter(), call.request.format);
    let room = journal.following.file()?;
    let mut tx = journal.store.read().await?;
    let asked = Asked::by(&by, &filter, &mut tx).await?;
    let end = size(&mut tx).await?;
    drop(tx);
    let mut event = journal.reading(&by, Action::LogsExported, None, &filter);
    let (media_type, ending) = match format {
        FileFormat::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        FileFormat::Jsonl => ("application/jsonl; charset=utf-8", "jsonl"),
    };
    event.details.insert("format".to_owned(), ending.to_owned());
    journal.tell(event).await?;
    let name = format!("journal-{}.{ending}", journal.store.clock().now().day());
    let heading = (format == FileFormat::Csv).then_some(COLUMNS);
    let file = File { journal, by, asked, format, end, before: Place::END, left: MOST, heading, _room: room };
    let parts = stream::unfold(file, |mut file| async move {
        let part = file.part().await.transpose()?;
        Some((part, file))
    });
    Ok(Streamed::of(media_type, Some(name), parts))
}

/// A file that is being taken.
struct File {
    journal: Journal,
    by: Principal,
    /// Nothing once all of it was sent.
    asked: Option<Asked>,
    format: FileFormat,
    /// What came to the log from here on is not in it.
    end: u64,
    before: Place,
    left: usize,
    heading: Option<&'static str>,
    _room: OwnedSemaphorePermit,
}

impl File {
    /// What is sent next; nothing at the end.
    async fn part(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        if let Some(heading) = self.heading.take() {
            return Ok(Some(heading.into()));
        }
        loop {
            let Some(asked) = &self.asked else { return Ok(None) };
            if !self.journal.following.still_admits(&self.by) {
                return Err(Problem::unauthorized());
            }
            let broken = |error: ::store::StoreError| chassis::store_problem(&error);
            let mut tx = self.journal.store.read().await.map_err(broken)?;
            let before = self.before.min(asked.end);
            let Spots { spots, rest } = spots(&mut tx, &asked.filter, before, AT_ONCE).await.map_err(broken)?;
            let found = entries_at(&mut tx, &spots).await.map_err(broken)?;
            drop(tx);
            let reader = asked.reader;
            match rest {
                Some(rest) => self.before = rest,
                None => self.asked = None,
            }
            let mut written = String::new();
            for found in found.into_iter().filter(|found| found.number < self.end) {
                if self.left == 0 {
                    self.asked = None;
                    written.push_str(&self.more());
                    break;
                }
                self.left = self.left.saturating_sub(1);
                written.push_str(&self.line(&found.shown_to(reader))?);
            }
            if !written.is_empty() {
                return Ok(Some(written.into_bytes()));
            }
        }
    }

    fn line(&self, entry: &LogEntry) -> Result<String, Problem> {
        if self.format == FileFormat::Jsonl {
            return Ok(serde_json::to_string(entry).map_err(Problem::internal)? + "\n");
        }
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        Ok(record(&[
            entry.id.to_string(),
            entry.at.to_string(),
            entry.source.clone(),
            entry.audience.name().to_owned(),
            entry.level.name().to_owned(),
            entry.action.name().to_owned(),
            optional(&entry.actor),
            optional(&entry.subject),
            entry.subject_id.map(|id| id.to_string()).unwrap_or_default(),
            entry.message.clone(),
            serde_json::to_string(&entry.details).map_err(Problem::internal)?,
            optional(&entry.trace_id),
        ]))
    }

    fn more(&self) -> String {
        match self.format {
            FileFormat::Csv => {
                let mut fields = vec![String::new(); 12];
                if let Some(message) = fields.get_mut(9) {
                    MORE.clone_into(message);
                }
                record(&fields)
            }
            FileFormat::Jsonl => format!("{}\n", serde_json::json!({ "more": MORE })),
        }
    }
}

/// A line of CSV (RFC 4180).
fn record(fields: &[String]) -> String {
    let fields: Vec<String> = fields.iter().map(|text| field(text)).collect();
    fields.join(",") + "\r\n"
}

/// Spreadsheets run what begins like a formula: a quote in front makes it a text.
fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_one_field_and_no_formula() {
        let cases = [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"\r\nnow", "\"say \"\"hi\"\"\r\nnow\""),
            ("=1+1", "'=1+1"),
            ("-1", "'-1"),
            ("@SUM(A1,\"x\")", "\"'@SUM(A1,\"\"x\"\")\""),
            ("\tx", "'\tx"),
            ("", ""),
        ];
        for (text, written) in cases {
            assert_eq!(field(text), written);
        }
        assert_eq!(record(&["a".into(), "b".into()]), "a,b\r\n");
    }
}
