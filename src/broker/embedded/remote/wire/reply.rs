//! What a server answers.

use bytes::Bytes;

use super::super::super::codec::{Reader, put_varint};
use super::fault::{put_error, read_error};
use super::member::{grants, put_grants};
use super::parts::{
    list, maybe, number, offsets, partitions, put_list, put_maybe, put_offsets, put_partitions, put_text, text,
};
use super::records::{fetched, put_fetched};
use crate::broker::{Bounds, BrokerError, ConsumerEvent, Fetched, Position, TopicInfo};

/// One answer, when all went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Reply {
    Done,
    Topic(Option<TopicInfo>),
    Topics(Vec<TopicInfo>),
    Bounds(Vec<Bounds>),
    Offsets(Vec<u64>),
    Committed(Vec<Option<u64>>),
    Positions(Vec<Position>),
    Records(Fetched),
    /// Nothing came; where a cursor stands now, since it may have stepped over holes.
    Places(Vec<(u32, u64)>),
    Event(ConsumerEvent),
    /// Nothing came, or the next request ended the wait.
    Nothing,
}

impl Reply {
    /// The answer to request `id`, errors included.
    pub(in super::super) fn put(answer: &Result<Self, BrokerError>, id: u64, buf: &mut Vec<u8>) {
        put_varint(buf, id);
        match answer {
            Ok(reply) => reply.put_reply(buf),
            Err(error) => {
                buf.push(255);
                put_error(buf, error);
            }
        }
    }

    /// The id and the answer in a frame; `None` when it is none.
    pub(in super::super) fn read(frame: &Bytes) -> Option<(u64, Result<Self, BrokerError>)> {
        let from = &mut Reader::new(frame, 0);
        let id = from.varint()?;
        let answer = match from.byte()? {
            255 => Err(read_error(from)?),
            tag => Ok(Self::read_reply(tag, from)?),
        };
        from.is_done().then_some((id, answer))
    }

    fn put_reply(&self, buf: &mut Vec<u8>) {
        match self {
            Self::Done => buf.push(0),
            Self::Topic(info) => {
                buf.push(1);
                put_maybe(buf, info.as_ref(), put_info);
            }
            Self::Topics(topics) => {
                buf.push(2);
                put_list(buf, topics, put_info);
            }
            Self::Bounds(bounds) => {
                buf.push(3);
                put_list(buf, bounds, |buf, bounds| {
                    put_varint(buf, u64::from(bounds.partition));
                    put_varint(buf, bounds.earliest);
                    put_varint(buf, bounds.latest);
                });
            }
            Self::Offsets(offsets) => {
                buf.push(4);
                put_list(buf, offsets, |buf, offset| put_varint(buf, *offset));
            }
            Self::Committed(offsets) => {
                buf.push(5);
                put_list(buf, offsets, |buf, offset| put_maybe(buf, *offset, put_varint));
            }
            Self::Positions(positions) => {
                buf.push(6);
                put_list(buf, positions, |buf, position| {
                    put_varint(buf, u64::from(position.partition));
                    put_varint(buf, position.offset);
                });
            }
            Self::Records(fetched) => {
                buf.push(7);
                put_fetched(buf, fetched);
            }
            Self::Places(places) => {
                buf.push(8);
                put_offsets(buf, places);
            }
            Self::Event(event) => put_event(buf, event),
            Self::Nothing => buf.push(13),
        }
    }

    fn read_reply(tag: u8, from: &mut Reader<'_>) -> Option<Self> {
        Some(match tag {
            0 => Self::Done,
            1 => Self::Topic(maybe(from, info)?),
            2 => Self::Topics(list(from, info)?),
            3 => Self::Bounds(list(from, |from| {
                Some(Bounds { partition: number(from)?, earliest: from.varint()?, latest: from.varint()? })
            })?),
            4 => Self::Offsets(list(from, Reader::varint)?),
            5 => Self::Committed(list(from, |from| maybe(from, Reader::varint))?),
            6 => Self::Positions(list(from, |from| {
                Some(Position { partition: number(from)?, offset: from.varint()? })
            })?),
            7 => Self::Records(fetched(from)?),
            8 => Self::Places(offsets(from)?),
            9 => Self::Event(ConsumerEvent::Assigned(grants(from)?)),
            10 => Self::Event(ConsumerEvent::Revoking(partitions(from)?)),
            11 => Self::Event(ConsumerEvent::Lost(partitions(from)?)),
            12 => Self::Event(ConsumerEvent::Records(fetched(from)?)),
            13 => Self::Nothing,
            _ => return None,
        })
    }
}

fn put_event(buf: &mut Vec<u8>, event: &ConsumerEvent) {
    match event {
        ConsumerEvent::Assigned(grants) => {
            buf.push(9);
            put_grants(buf, grants);
        }
        ConsumerEvent::Revoking(partitions) => {
            buf.push(10);
            put_partitions(buf, partitions);
        }
        ConsumerEvent::Lost(partitions) => {
            buf.push(11);
            put_partitions(buf, partitions);
        }
        ConsumerEvent::Records(fetched) => {
            buf.push(12);
            put_fetched(buf, fetched);
        }
    }
}

fn put_info(buf: &mut Vec<u8>, info: &TopicInfo) {
    put_text(buf, &info.name);
    put_varint(buf, u64::from(info.partitions));
}

fn info(from: &mut Reader<'_>) -> Option<TopicInfo> {
    Some(TopicInfo { name: text(from)?, partitions: number(from)? })
}
