//! A wire to a server that can be cut, or stand still as a server that hangs does.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Flow {
    Open,
    Still,
    Cut,
}

pub(crate) struct Wire {
    pub(crate) port: u16,
    flow: watch::Sender<Flow>,
}

impl Wire {
    /// To a port of this machine.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (flow, flows) = watch::channel(Flow::Open);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *flows.borrow() == Flow::Cut {
                    continue;
                }
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { continue };
                let (near_reads, near_writes) = near.into_split();
                let (far_reads, far_writes) = far.into_split();
                tokio::spawn(pump(near_reads, far_writes, flows.clone()));
                tokio::spawn(pump(far_reads, near_writes, flows.clone()));
            }
        });
        Self { port: own, flow }
    }

    pub(crate) fn set(&self, flow: Flow) {
        self.flow.send_replace(flow);
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, flow: watch::Receiver<Flow>) {
    let (mut cut, mut open) = (flow.clone(), flow);
    let mut bytes = vec![0; 16 * 1024];
    let carry = async {
        loop {
            let count = from.read(&mut bytes).await.unwrap_or(0);
            if count == 0 || open.wait_for(|flow| *flow == Flow::Open).await.is_err() {
                return;
            }
            if to.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = cut.wait_for(|flow| *flow == Flow::Cut) => {}
        () = carry => {}
    }
}
