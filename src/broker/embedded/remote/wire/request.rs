//! What a client asks for.

use std::time::Duration;

use bytes::Bytes;

use super::super::super::codec::{Reader, put_varint, put_zigzag};
use super::member::{Hold, commits, holds, put_commits, put_holds};
use super::parts::{
    list, maybe, millis, number, offsets, put_list, put_maybe, put_millis, put_offsets, put_text, text,
};
use super::records::{append, put_append};
use crate::broker::{Append, Cleanup, Commit, GroupSettings, StartFrom, TopicSpec};

/// One request. Those on groups are about the member that the connection has become with `Subscribe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Request {
    CreateTopic(TopicSpec),
    DeleteTopic(String),
    Topic(String),
    /// A page of the topics whose names come after this one.
    Topics(String),
    Bounds(String),
    OffsetsAt(String, i64),
    /// Group, topic.
    Committed(String, String),
    /// Group, topic, offsets.
    Reset(String, String, Vec<(u32, u64)>),
    Append(String, Vec<Append>),
    /// At most `max` records from one of these places, waiting for them as long as that. The places are the client's:
    /// a session keeps nothing that a new connection would lack.
    Fetch {
        topic: String,
        places: Vec<(u32, u64)>,
        max: u32,
        wait: Duration,
    },
    Subscribe(String, GroupSettings),
    Poll {
        max: u32,
        wait: Duration,
    },
    /// Pauses and resumes partitions. Polls before it know nothing of it.
    Hold(Vec<Hold>),
    /// Commits without waiting for the disk, each with the epoch of its partition.
    Commit(Vec<(u32, Commit)>),
    /// Commits, waits, and gives revoked partitions back when the caller knows of them.
    Release {
        commits: Vec<(u32, Commit)>,
        give_back: bool,
    },
    Close(Vec<(u32, Commit)>),
}

impl Request {
    /// Whether the wait of this request ends when the next one arrives.
    pub(in super::super) fn is_interruptible(&self) -> bool {
        matches!(self, Self::Fetch { .. } | Self::Poll { .. })
    }

    pub(in super::super) fn put(&self, id: u64, buf: &mut Vec<u8>) {
        put_varint(buf, id);
        match self {
            Self::CreateTopic(spec) => {
                buf.push(0);
                put_spec(buf, spec);
            }
            Self::DeleteTopic(name) => put_named(buf, 1, name),
            Self::Topic(name) => put_named(buf, 2, name),
            Self::Topics(after) => put_named(buf, 3, after),
            Self::Bounds(topic) => put_named(buf, 4, topic),
            Self::OffsetsAt(topic, timestamp_ms) => {
                put_named(buf, 5, topic);
                put_zigzag(buf, *timestamp_ms);
            }
            Self::Committed(group, topic) => {
                put_named(buf, 6, group);
                put_text(buf, topic);
            }
            Self::Reset(group, topic, offsets) => {
                put_named(buf, 7, group);
                put_text(buf, topic);
                put_offsets(buf, offsets);
            }
            Self::Append(topic, records) => {
                put_named(buf, 8, topic);
                put_list(buf, records, put_append);
            }
            Self::Fetch { topic, places, max, wait } => {
                put_named(buf, 9, topic);
                put_offsets(buf, places);
                put_varint(buf, u64::from(*max));
                put_millis(buf, *wait);
            }
            Self::Subscribe(topic, settings) => {
                put_named(buf, 10, topic);
                put_settings(buf, settings);
            }
            Self::Poll { max, wait } => {
                buf.push(11);
                put_varint(buf, u64::from(*max));
                put_millis(buf, *wait);
            }
            Self::Commit(commits) => {
                buf.push(12);
                put_commits(buf, commits);
            }
            Self::Release { commits, give_back } => {
                buf.extend([13, u8::from(*give_back)]);
                put_commits(buf, commits);
            }
            Self::Close(commits) => {
                buf.push(14);
                put_commits(buf, commits);
            }
            Self::Hold(holds) => {
                buf.push(15);
                put_holds(buf, holds);
            }
        }
    }

    /// The id and the request in a frame; `None` when it is none.
    pub(in super::super) fn read(frame: &Bytes) -> Option<(u64, Self)> {
        let from = &mut Reader::new(frame, 0);
        let id = from.varint()?;
        let request = match from.byte()? {
            0 => Self::CreateTopic(spec(from)?),
            1 => Self::DeleteTopic(text(from)?),
            2 => Self::Topic(text(from)?),
            3 => Self::Topics(text(from)?),
            4 => Self::Bounds(text(from)?),
            5 => Self::OffsetsAt(text(from)?, from.zigzag()?),
            6 => Self::Committed(text(from)?, text(from)?),
            7 => Self::Reset(text(from)?, text(from)?, offsets(from)?),
            8 => Self::Append(text(from)?, list(from, append)?),
            9 => {
                let (topic, places) = (text(from)?, offsets(from)?);
                Self::Fetch { topic, places, max: number(from)?, wait: millis(from)? }
            }
            10 => Self::Subscribe(text(from)?, settings(from)?),
            11 => Self::Poll { max: number(from)?, wait: millis(from)? },
            12 => Self::Commit(commits(from)?),
            13 => {
                let give_back = from.byte()? != 0;
                Self::Release { commits: commits(from)?, give_back }
            }
            14 => Self::Close(commits(from)?),
            15 => Self::Hold(holds(from)?),
            _ => return None,
        };
        from.is_done().then_some((id, request))
    }
}

fn put_named(buf: &mut Vec<u8>, tag: u8, name: &str) {
    buf.push(tag);
    put_text(buf, name);
}

fn put_spec(buf: &mut Vec<u8>, spec: &TopicSpec) {
    put_text(buf, &spec.name);
    put_varint(buf, u64::from(spec.partitions));
    put_varint(buf, u64::from(spec.replication));
    match spec.cleanup {
        Cleanup::Compact => buf.push(1),
        Cleanup::Delete { retention, max_bytes } => {
            buf.push(0);
            put_maybe(buf, retention, put_millis);
            put_maybe(buf, max_bytes, put_varint);
        }
    }
}

fn spec(from: &mut Reader<'_>) -> Option<TopicSpec> {
    let (name, partitions, replication) = (text(from)?, number(from)?, number(from)?);
    let cleanup = match from.byte()? {
        0 => Cleanup::Delete { retention: maybe(from, millis)?, max_bytes: maybe(from, Reader::varint)? },
        1 => Cleanup::Compact,
        _ => return None,
    };
    Some(TopicSpec { name, partitions, cleanup, replication })
}

fn put_settings(buf: &mut Vec<u8>, settings: &GroupSettings) {
    put_text(buf, &settings.group);
    match settings.start_from {
        StartFrom::Earliest => buf.push(0),
        StartFrom::Latest => buf.push(1),
        StartFrom::Timestamp(time) => {
            buf.push(2);
            put_zigzag(buf, time);
        }
    }
    put_maybe(buf, settings.instance_id.as_deref(), put_text);
    put_varint(buf, settings.prefetch as u64);
    put_millis(buf, settings.session_timeout);
    put_millis(buf, settings.drain_timeout);
}

fn settings(from: &mut Reader<'_>) -> Option<GroupSettings> {
    let group = text(from)?;
    let start_from = match from.byte()? {
        0 => StartFrom::Earliest,
        1 => StartFrom::Latest,
        2 => StartFrom::Timestamp(from.zigzag()?),
        _ => return None,
    };
    let (instance_id, prefetch) = (maybe(from, text)?, number(from)?);
    let (session_timeout, drain_timeout) = (millis(from)?, millis(from)?);
    Some(GroupSettings { group, start_from, instance_id, prefetch, session_timeout, drain_timeout })
}
