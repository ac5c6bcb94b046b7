//! Carries what one service tells to the journal's process. At least once, in order: the source's relay sees to both,
//! and keeps every event until the journal has said that it is kept.

use aaa::Directory;
use bus::{Bus, Envelope};
use contracts::peers::{TakeEvents, Told};
use identity::Notices;
use vocabulary::EventId;

/// Everything on `bus` goes to the journal that `directory` reaches.
pub(crate) fn tell_journal(bus: &Bus, directory: &Directory) {
    let directory = directory.clone();
    bus.subscribe_in_batches(">", "journal", move |envelopes| {
        let caller = directory.caller();
        async move {
            for events in portions(envelopes) {
                caller.call(TakeEvents { events }).await?;
            }
            Ok(())
        }
    });
}

/// What people are to be told of everything on `bus` is noted at once.
pub(crate) fn note_notices(bus: &Bus, notices: &Notices) {
    let notices = notices.clone();
    bus.subscribe_in_batches("log.>", "notices", move |envelopes| {
        let notices = notices.clone();
        let happenings = envelopes.iter().filter_map(|envelope| Notices::read(&envelope.payload)).collect();
        async move { Ok(notices.take(happenings).await?) }
    });
}

/// The same events in the same order, each portion of a comfortable size.
fn portions(envelopes: Vec<Envelope>) -> Vec<Vec<Told>> {
    let mut portions: Vec<Vec<Told>> = Vec::new();
    let mut size = usize::MAX;
    for Envelope { id, seq, subject, payload, at, .. } in envelopes {
        size = size.saturating_add(payload.len());
        let told = Told { id: EventId(id), seq, subject, payload, at };
        match portions.last_mut() {
            Some(portion) if size <= TakeEvents::COMFORTABLE => portion.push(told),
            _ => {
                size = told.payload.len();
                portions.push(vec![told]);
            }
        }
    }
    portions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_events_go_alone_and_small_ones_together_in_their_order() {
        let envelope = |seq: i64, length: usize| Envelope {
            id: store::Uuid::from_u128(u128::from(seq.unsigned_abs())),
            source: "bank".into(),
            seq,
            subject: "log.members.info".into(),
            payload: "x".repeat(length),
            at: vocabulary::Timestamp::from_seconds(0),
        };
        let large = TakeEvents::COMFORTABLE + 1;
        let portions = portions(vec![envelope(1, 10), envelope(2, 10), envelope(3, large), envelope(4, 10)]);
        let numbers: Vec<Vec<i64>> = portions.iter().map(|it| it.iter().map(|told| told.seq).collect()).collect();
        assert_eq!(numbers, [vec![1, 2], vec![3], vec![4]]);
    }
}
