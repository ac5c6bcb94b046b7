//! Just enough CBOR (RFC 8949) to read what authenticators say: definite lengths, no tags, no floats, bounded depth.

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Item {
    Int(i64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Item>),
    Map(Vec<(Item, Item)>),
    /// True, false, null or undefined.
    Simple(u8),
}

/// Arrays and maps within one another; authenticators need four.
const DEPTH: u8 = 8;

/// The first value of `bytes`, and how many bytes it takes. Nothing when it is not one.
pub(crate) fn read(bytes: &[u8]) -> Option<(Item, usize)> {
    let mut rest = bytes;
    let item = item(&mut rest, DEPTH)?;
    Some((item, bytes.len().checked_sub(rest.len())?))
}

impl Item {
    /// What a map holds under a text.
    pub(crate) fn named(&self, name: &str) -> Option<&Self> {
        self.find(|key| matches!(key, Self::Text(text) if text == name))
    }

    /// What a map holds under a number.
    pub(crate) fn numbered(&self, number: i64) -> Option<&Self> {
        self.find(|key| matches!(key, Self::Int(it) if *it == number))
    }

    fn find(&self, wanted: impl Fn(&Self) -> bool) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(key, _)| wanted(key)).map(|(_, value)| value)
    }

    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub(crate) fn int(&self) -> Option<i64> {
        if let Self::Int(int) = self { Some(*int) } else { None }
    }
}

fn item(rest: &mut &[u8], depth: u8) -> Option<Item> {
    let depth = depth.checked_sub(1)?;
    let first = *take(rest, 1)?.first()?;
    let (major, low) = (first >> 5, first & 0x1f);
    if major == 7 {
        return matches!(low, 20..=23).then_some(Item::Simple(low));
    }
    let number = match low {
        0..=23 => u64::from(low),
        24..=27 => take(rest, 1 << (low - 24))?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
        _ => return None,
    };
    let length = usize::try_from(number).ok();
    // A length that is a lie runs out of bytes at once: nothing is set aside for it.
    match major {
        0 => i64::try_from(number).ok().map(Item::Int),
        1 => i64::try_from(number).ok()?.checked_neg()?.checked_sub(1).map(Item::Int),
        2 => take(rest, length?).map(|bytes| Item::Bytes(bytes.to_vec())),
        3 => String::from_utf8(take(rest, length?)?.to_vec()).ok().map(Item::Text),
        4 => (0..length?).map(|_| item(rest, depth)).collect::<Option<_>>().map(Item::Array),
        5 => (0..length?).map(|_| Some((item(rest, depth)?, item(rest, depth)?))).collect::<Option<_>>().map(Item::Map),
        _ => None,
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_rfc_8949() {
        let table: [(&str, Item); 9] = [
            ("17", Item::Int(23)),
            ("1818", Item::Int(24)),
            ("1903e8", Item::Int(1000)),
            ("20", Item::Int(-1)),
            ("3903e7", Item::Int(-1000)),
            ("4401020304", Item::Bytes(vec![1, 2, 3, 4])),
            ("6449455446", Item::Text("IETF".into())),
            ("820102", Item::Array(vec![Item::Int(1), Item::Int(2)])),
            ("a201020304", Item::Map(vec![(Item::Int(1), Item::Int(2)), (Item::Int(3), Item::Int(4))])),
        ];
        for (written, value) in table {
            let bytes = hex::decode(written).unwrap();
            assert_eq!(read(&bytes), Some((value.clone(), bytes.len())), "{written}");
            let followed = [bytes.as_slice(), &[0xff]].concat();
            assert_eq!(read(&followed), Some((value, bytes.len())), "{written} and more");
        }
    }

    #[test]
    fn what_is_cut_short_lies_about_its_length_or_nests_without_end_is_refused() {
        for written in [
            "",
            "18",
            "44010203",
            "5bffffffffffffffff",
            "9bffffffffffffffff",
            "bb7fffffffffffffff01",
            "3bffffffffffffffff",
            "9f01ff",
            "c001",
            "fb3ff199999999999a",
            "62c328",
        ] {
            assert_eq!(read(&hex::decode(written).unwrap()), None, "{written}");
        }
        assert_eq!(read(&[0x81; 64]), None);
    }
}
