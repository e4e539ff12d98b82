//! Partitions that their member pauses, and what a group keeps beside its offsets.

use tokio::time::Instant;

use super::Subject;
use super::member::Member;
use super::support::{append, create, fresh, numbered, within};
use crate::broker::{Commit, GroupSettings, Note};

/// A paused partition gives nothing while the others flow, and goes on exactly where the last pause said, back or
/// forth, in the same assignment.
pub async fn check_pause_and_resume(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "pause", 2).await;
    append(&broker, &topic, numbered(0, 0, 300)).await;
    append(&broker, &topic, numbered(1, 1000, 300)).await;
    let settings = GroupSettings { prefetch: 100, ..GroupSettings::new(fresh("group")) };
    let mut member = Member::joined(&broker, &topic, &settings, 2).await;

    // Back, while records of it are fetched ahead.
    member.until("records of both", |m| m.next[&0] > 20 && m.next[&1] > 20).await;
    member.pause(0, 10);
    let first = member.of(0).len();
    append(&broker, &topic, numbered(1, 1300, 50)).await;
    member.until("all of the other partition", |m| m.next[&1] == 350).await;
    assert_eq!(member.of(0).len(), first, "nothing comes of a paused partition");
    member.resume(0);
    member.until("the rest", |m| m.next[&0] == 300).await;
    assert_eq!(member.of(0)[first..], (10..300).collect::<Vec<u64>>(), "from where the pause said");

    // Forth, over what is not read; the last pause counts.
    member.pause(0, 100);
    append(&broker, &topic, numbered(0, 300, 100)).await;
    append(&broker, &topic, numbered(1, 1350, 1)).await;
    member.until("the other partition", |m| m.next[&1] == 351).await;
    member.pause(0, 350);
    let before = member.of(0).len();
    member.resume(0);
    member.resume(0);
    member.until("the rest", |m| m.next[&0] == 400).await;
    assert_eq!(member.of(0)[before..], (350..400).collect::<Vec<u64>>());

    // Both at once: a seek, again and again, without a poll in between.
    for at in [0, 390, 200] {
        member.pause(0, at);
        member.resume(0);
    }
    let before = member.of(0).len();
    member.until("the rest", |m| m.next[&0] == 400).await;
    assert_eq!(member.of(0)[before..], (200..400).collect::<Vec<u64>>());

    // Nothing happens where there is nothing to pause.
    member.pause(7, 0);
    member.resume(7);
    append(&broker, &topic, numbered(0, 400, 1)).await;
    member.until("one more", |m| m.next[&0] == 401).await;
    assert_eq!(member.of(1), (1000..1351).collect::<Vec<u64>>(), "the other partition came once");
    member.close().await;
}

/// A member whose partitions are all paused stays in its group beyond the session timeout, and a pause ends with its
/// assignment.
pub async fn check_paused_member_stays(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "stay", 2).await;
    append(&broker, &topic, numbered(0, 0, 10)).await;
    append(&broker, &topic, numbered(1, 10, 10)).await;
    let session_timeout = subject.session_timeout();
    let settings = GroupSettings { session_timeout, ..GroupSettings::new(fresh("group")) };
    let mut member = Member::joined(&broker, &topic, &settings, 2).await;
    member.pause(0, 0);
    member.pause(1, 10);
    let epochs = member.owned.clone();
    let end = Instant::now() + session_timeout * 2;
    while Instant::now() < end {
        member.step().await;
        assert_eq!(member.owned, epochs, "nobody takes a paused partition away");
    }
    assert!(member.records.is_empty());

    // One of them goes to another member and comes back: whoever has it reads it.
    let mut other = Member::join(&broker, &topic, &settings);
    super::sharing::both(&mut member, &mut other, "one each", |a, b| a.owned.len() == 1 && b.owned.len() == 1)
        .await;
    let moved = *other.owned.keys().next().expect("it has one");
    other.until("its records", |m| m.next[&moved] == 10).await;
    let committed = other.next[&moved];
    other.close().await;
    append(&broker, &topic, numbered(moved, 20, 5)).await;
    member.until("what was appended", |m| m.owned.len() == 2 && m.next[&moved] == 15).await;
    assert_eq!(member.started[&moved], committed);
    assert_eq!(member.of(moved), (20..25).collect::<Vec<u64>>());
    member.resume(1 - moved);
    member.until("the other one", |m| m.next[&(1 - moved)] == 10).await;
    member.close().await;
}

/// What a commit says beside its offset is told to whoever gets the partition next, whatever became of the one who
/// made it.
pub async fn check_notes(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "notes", 4).await;
    for partition in 0..4 {
        append(&broker, &topic, numbered(partition, 0, 10)).await;
    }
    let group = fresh("group");
    let settings = GroupSettings::new(&group);
    let commit = |partition, note| Commit { note, ..Commit::clean(partition, 3 + u64::from(partition)) };

    let mut first = Member::joined(&broker, &topic, &settings, 4).await;
    assert!(first.notes.values().all(|note| *note == Note::Clean), "nothing was said yet");
    assert!(first.seeks.values().all(|seek| *seek == 0), "nothing was sought yet");
    let sought = Commit { seek: u64::MAX, ..commit(0, Note::Open) };
    first.commit_now(&[sought, commit(1, Note::Batchwise)]).await;
    first.commit_now(&[commit(2, Note::Singly { deaths: 2 })]).await;
    let committed = within("committed", broker.committed(&group, &topic)).await.expect("committed");
    assert_eq!(committed, [Some(3), Some(4), Some(5), None]);
    first.until("that it goes on", |m| m.records.len() == 40).await;
    // It dies.
    drop(first);

    let mut second = Member::joined(&broker, &topic, &settings, 4).await;
    let found: Vec<Note> = second.notes.values().copied().collect();
    assert_eq!(found, [Note::Open, Note::Batchwise, Note::Singly { deaths: 2 }, Note::Clean]);
    assert_eq!(second.seeks.values().copied().collect::<Vec<u64>>(), [u64::MAX, 0, 0, 0]);
    assert_eq!(second.started.values().copied().collect::<Vec<u64>>(), [3, 4, 5, 0]);
    second.commit(&[commit(1, Note::Singly { deaths: 0 }), commit(3, Note::Open)]);
    second.commit_now(&[Commit { seek: 7, ..commit(0, Note::Clean) }]).await;
    drop(second);
    drop(broker);

    subject.restart().await;
    let broker = subject.broker();
    let third = Member::joined(&broker, &topic, &settings, 4).await;
    let found: Vec<Note> = third.notes.values().copied().collect();
    assert_eq!(found, [Note::Clean, Note::Singly { deaths: 0 }, Note::Singly { deaths: 2 }, Note::Open]);
    assert_eq!(third.seeks[&0], 7, "also with a note that says nothing");
    third.close().await;
    let fourth = Member::joined(&broker, &topic, &settings, 4).await;
    assert!(fourth.notes.values().all(|note| *note == Note::Clean), "it was given back in order");
    fourth.close().await;
}
