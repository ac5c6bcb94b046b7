//! One signal to stop, heard everywhere.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells every part of the program to finish. Clones share the signal.
#[derive(Clone)]
pub struct Shutdown {
    sender: Arc<watch::Sender<bool>>,
    receiver: watch::Receiver<bool>,
}

impl Default for Shutdown {
    fn default() -> Self {
        let (sender, receiver) = watch::channel(false);
        Self { sender: Arc::new(sender), receiver }
    }
}

impl Shutdown {
    /// Asks everything to finish what it is doing and stop.
    pub fn begin(&self) {
        self.sender.send_replace(true);
    }

    /// Waits until it is time to stop.
    pub async fn begun(&self) {
        let mut receiver = self.receiver.clone();
        // The sender lives as long as any clone does, this one included.
        let _ = receiver.wait_for(|stop| *stop).await;
    }

    /// Whether it is time to stop.
    pub fn has_begun(&self) -> bool {
        *self.receiver.borrow()
    }

    /// Begins on SIGTERM or SIGINT (Ctrl-C).
    pub fn on_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let shutdown = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            shutdown.begin();
        });
        Ok(())
    }
}
