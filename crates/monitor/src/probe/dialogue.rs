//! Lines that go back and forth. Bounded: a line that does not end, and lines without end, are an error.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use super::Failure;

/// Longest line.
const LONGEST: u64 = 8 * 1024;

/// Somebody to talk to, line by line.
pub(super) struct Dialogue<S> {
    stream: BufReader<S>,
    /// What they were to speak.
    language: &'static str,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    pub(super) fn new(stream: S, language: &'static str) -> Self {
        Self { stream: BufReader::new(stream), language }
    }

    /// The next line, without its end.
    pub(super) async fn hear(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(LONGEST).read_until(b'\n', &mut line).await;
        read.map_err(|_| self.broken())?;
        if line.pop() != Some(b'\n') {
            return Err(self.broken());
        }
        let line = String::from_utf8(line).map_err(|_| self.foreign())?;
        Ok(line.trim_end_matches('\r').to_owned())
    }

    pub(super) async fn say(&mut self, line: &str) -> Result<(), Failure> {
        let said = self.stream.get_mut().write_all(line.as_bytes()).await;
        said.map_err(|_| self.broken())?;
        self.stream.get_mut().flush().await.map_err(|_| self.broken())
    }

    /// For a handshake. What was said before its time might have been said by anybody: then there is none.
    pub(super) fn into_stream(self) -> Result<S, Failure> {
        if self.stream.buffer().is_empty() {
            return Ok(self.stream.into_inner());
        }
        Err(Failure::bad("something was said between the agreement on TLS and the handshake: somebody may be meddling"))
    }

    pub(super) fn foreign(&self) -> Failure {
        Failure::bad(format!("what answers does not speak {}", self.language))
    }

    fn broken(&self) -> Failure {
        Failure::bad(format!("the conversation breaks off, or what answers does not speak {}", self.language))
    }
}
