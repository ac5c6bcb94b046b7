//! The journal's entries as they come, each as a row of the table in the visitor's language; and as files.
//!
//! What comes is passed on part by part: nothing is gathered here, and a browser that goes away ends it.

use std::sync::Arc;

use aaa::{Problem, Reply, Streamed};
use askama::Template;
use contracts::journal::{ExportLogs, FileFormat, LogEntry, TailLogs};
use futures_util::StreamExt;

use super::logs::{Line, filter};
use crate::texts::T;
use crate::visit::{Outcome, Visit};

/// The longest line that is waited for. The journal keeps no longer entry.
const LONGEST: usize = 2 * 1024 * 1024;

/// Exactly what the table shows, all of it, as a file.
pub(crate) async fn export(visit: Arc<Visit>) -> Outcome {
    let format = if visit.query.get("format") == "jsonl" { FileFormat::Jsonl } else { FileFormat::Csv };
    let file = visit.caller().stream(ExportLogs { format, ..filter(&visit.query).into() }).await?;
    file.write()
}

/// Exactly what the table would show next, as it comes.
pub(crate) async fn live(visit: Arc<Visit>) -> Outcome {
    let after = visit.last_event.as_ref().and_then(|id| id.parse().ok());
    let entries = visit.caller().stream(TailLogs { after, ..filter(&visit.query).into() }).await?;
    let mut rows = Rows { t: visit.t, rest: Vec::new() };
    let parts = entries.into_parts().map(move |part| rows.take(&part.map_err(Problem::internal)?));
    Streamed::of("text/event-stream", None, parts).write()
}

/// One row of the table.
#[derive(Template)]
#[template(path = "log_row.html")]
struct LogRow {
    t: T,
    l: Line,
}

/// Makes rows of entries in a stream of events, and leaves the rest of it as it is.
struct Rows {
    t: T,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
}

impl Rows {
    fn take(&mut self, part: &[u8]) -> Result<Vec<u8>, Problem> {
        let mut out = Vec::new();
        for piece in part.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.rest);
                self.line(&line, &mut out)?;
            }
        }
        if self.rest.len() > LONGEST {
            return Err(Problem::internal("a line of the journal's events has no end"));
        }
        Ok(out)
    }

    fn line(&self, line: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        let entry = line.strip_prefix(b"data:").and_then(|json| serde_json::from_slice::<LogEntry>(json).ok());
        let Some(entry) = entry else {
            out.extend_from_slice(line);
            return Ok(());
        };
        let row = LogRow { t: self.t, l: Line::of(self.t, entry) }.render().map_err(Problem::internal)?;
        out.extend_from_slice(b"data: ");
        // One event is one line: what people wrote holds no line break, and those of the template say nothing.
        out.extend(row.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        out.push(b'\n');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use contracts::identity::Language;

    use super::*;
    use crate::pages::samples::entries_of_log;

    #[test]
    fn entries_become_rows_however_their_bytes_arrive_and_the_rest_stays_as_it_is() {
        let mut entry = entries_of_log().remove(0);
        entry.details.insert("reference".to_owned(), "two\r\nlines <b>".to_owned());
        let json = serde_json::to_string(&entry).unwrap();
        let stream = format!(": waiting\n\nid: 7\nevent: entry\ndata: {json}\n\nevent: missed\ndata:\n\n");
        for step in [1, 7, stream.len()] {
            let mut rows = Rows { t: T(Language::En), rest: Vec::new() };
            let out: Vec<u8> = stream.as_bytes().chunks(step).flat_map(|part| rows.take(part).unwrap()).collect();
            let out = String::from_utf8(out).unwrap();
            assert!(out.starts_with(": waiting\n\nid: 7\nevent: entry\ndata: <tr>"), "{out}");
            assert!(out.ends_with("</tr>\n\nevent: missed\ndata:\n\n") && out.lines().count() == 9, "{out}");
            assert!(out.contains("Transfer requested") && out.contains("two  lines &#60;b&#62;"), "{out}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_gathered_for_ever() {
        let mut rows = Rows { t: T(Language::En), rest: Vec::new() };
        let part = vec![b'x'; 64 * 1024];
        let endless = (0..100).map(|_| rows.take(&part)).find(Result::is_err);
        assert!(endless.is_some());
    }
}
