//! The tree and its proofs, held to Certificate Transparency's reference vectors and to the crate `ct-merkle`.

use std::collections::BTreeMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use tlog::{Frontier, Hash, Head, MAX_SIZE, NodeId, Plan, TreeError, Unproven};

use crate::bed::Log;

/// The leaves of the reference tree of Certificate Transparency, and its root at each size.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const N01: &str = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125";
const N03: &str = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7";
const N23: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const N47: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
const N67: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const L0: &str = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
const L1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const L4: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const N45: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";

fn hashes(hex: &[&str]) -> Vec<Hash> {
    hex.iter().map(|hex| Hash(hex::decode(hex).unwrap().try_into().unwrap())).collect()
}

fn reference() -> Log {
    let mut log = Log::default();
    log.append(LEAVES.iter().map(|leaf| Hash::of_leaf(&hex::decode(leaf).unwrap())));
    log
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    let (log, roots) = (reference(), hashes(&ROOTS));
    for (size, root) in (0u64..).zip(roots) {
        assert_eq!(log.head(size), Head { size, root });
    }
    assert_eq!(Frontier::default().root(), Hash::of_nothing());
}

#[test]
fn proofs_are_those_of_certificate_transparency() {
    let log = reference();
    // Index, size, path; the reference counts entries from 1.
    let inclusion: [(u64, u64, &[&str]); 5] =
        [(0, 8, &[L1, N23, N47]), (5, 8, &[L4, N67, N03]), (2, 3, &[N01]), (1, 5, &[L0, N23, L4]), (0, 1, &[])];
    for (index, size, path) in inclusion {
        assert_eq!(log.prove(&Plan::inclusion(index, size).unwrap()), hashes(path), "{index} of {size}");
    }
    let consistency: [(u64, u64, &[&str]); 4] =
        [(1, 1, &[]), (1, 8, &[L1, N23, N47]), (6, 8, &[N45, N67, N03]), (2, 5, &[N23, L4])];
    for (old, new, path) in consistency {
        assert_eq!(log.consistency(old, new), hashes(path), "{old} to {new}");
    }
}

fn leaf(n: u64) -> Vec<u8> {
    n.to_be_bytes().repeat(usize::try_from(n % 5).unwrap())
}

fn chunks(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks(32).map(|hash| Hash(hash.try_into().unwrap())).collect()
}

/// Every root and proof of this size, made by both and checked by ours.
fn agree(log: &Log, other: &MemoryBackedTree<Sha256, Vec<u8>>, indexes: impl Iterator<Item = u64>) {
    let size = other.len();
    let head = log.head(size);
    assert_eq!(head.root.0, other.root().as_bytes()[..], "root of {size}");
    for index in indexes {
        let path = log.prove(&Plan::inclusion(index, size).unwrap());
        let place = usize::try_from(index).unwrap();
        assert_eq!(path, chunks(other.prove_inclusion(place).as_bytes()), "{index} of {size}");
        assert_eq!(head.check_inclusion(Hash::of_leaf(&leaf(index)), index, &path), Ok(()));
        let old = index + 1;
        let path = log.consistency(old, size);
        let added = usize::try_from(size - old).unwrap();
        assert_eq!(path, chunks(other.prove_consistency(added).as_bytes()), "{old} to {size}");
        assert_eq!(head.check_extends(&log.head(old), &path), Ok(()));
    }
}

#[test]
fn every_tree_up_to_300_is_that_of_another_implementation() {
    let (mut log, mut other) = (Log::default(), MemoryBackedTree::<Sha256, Vec<u8>>::new());
    for n in 0..300 {
        log.append([Hash::of_leaf(&leaf(n))]);
        other.push(leaf(n));
        agree(&log, &other, 0..=n);
    }
}

#[test]
fn a_proof_asks_for_each_node_once_and_for_few() {
    for (index, size) in [(0, MAX_SIZE), (MAX_SIZE - 1, MAX_SIZE), (12_345_678, 20_852_163), (0, (1 << 40) - 1)] {
        let plan = Plan::inclusion(index, size).unwrap();
        let mut nodes = plan.nodes().to_vec();
        nodes.sort();
        nodes.dedup();
        assert_eq!(nodes.len(), plan.nodes().len());
        assert!(nodes.len() <= 124, "{}", nodes.len());
        assert!(plan.prove(|_| Some(Hash::of_nothing())).unwrap().len() <= 62);
    }
}

#[test]
fn a_tree_names_what_it_cannot_give() {
    let log = Log::of(5);
    let missing = NodeId { level: 1, index: 1 };
    let stored = |id| log.nodes.get(&id).copied().filter(|_| id != missing);
    assert_eq!(Plan::inclusion(0, 4).unwrap().prove(stored), Err(TreeError::Missing(missing)));
    let low = NodeId { level: 2, index: 0 };
    let stored = |id| log.nodes.get(&id).copied().filter(|_| id != low);
    assert_eq!(Frontier::load(5, stored), Err(TreeError::Missing(low)));
    assert_eq!(Plan::inclusion(5, 5), Err(TreeError::NoSuchEntry { index: 5, size: 5 }));
    assert_eq!(Plan::consistency(6, 5), Err(TreeError::Shrinking { old: 6, new: 5 }));
    for size in [MAX_SIZE + 1, u64::MAX] {
        assert_eq!(Plan::inclusion(0, size), Err(TreeError::TooLarge));
        assert_eq!(Frontier::nodes(size), Err(TreeError::TooLarge));
    }
    let mut full = Frontier::load(MAX_SIZE, |_| Some(Hash::of_nothing())).unwrap();
    assert_eq!(full.append([Hash::of_nothing()]), Err(TreeError::TooLarge));
}

#[test]
fn a_tree_extends_nothing_but_what_was() {
    let log = Log::of(9);
    let (empty, head) = (log.head(0), log.head(9));
    assert_eq!(head.check_extends(&empty, &[]), Ok(()));
    assert_eq!(empty.check_extends(&empty, &[]), Ok(()));
    assert_eq!(head.check_extends(&Head { size: 0, root: head.root }, &[]), Err(Unproven::Root));
    assert_eq!(head.check_extends(&empty, &[head.root]), Err(Unproven::Length));
    assert_eq!(head.check_extends(&Head { size: 9, ..empty }, &[]), Err(Unproven::Root));
    assert_eq!(log.head(8).check_extends(&head, &[]), Err(Unproven::Shrunk { old: 9, new: 8 }));
    assert_eq!(head.check_extends(&log.head(7), &[]), Err(Unproven::Length));
    assert_eq!(empty.check_inclusion(head.root, 0, &[]), Err(Unproven::Outside { index: 0, size: 0 }));
    let single = log.head(1);
    assert_eq!(single.check_inclusion(log.entries[0], 0, &[]), Ok(()));
    assert_eq!(single.check_inclusion(log.entries[0], 0, &[head.root]), Err(Unproven::Length));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn large_trees_are_those_of_another_implementation(
        size in 300u64..5000,
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let (mut other, mut frontier) = (MemoryBackedTree::<Sha256, Vec<u8>>::new(), Frontier::default());
        let nodes = frontier.append((0..size).map(|n| Hash::of_leaf(&leaf(n)))).unwrap();
        (0..size).for_each(|n| other.push(leaf(n)));
        let nodes: BTreeMap<_, _> = nodes.into_iter().map(|node| (node.id, node.hash)).collect();
        let log = Log { nodes, ..Log::default() };
        let picks = picks.iter().map(|pick| pick.index(usize::try_from(size).unwrap()) as u64);
        agree(&log, &other, picks);
    }

    #[test]
    fn a_proof_proves_one_thing_only(size in 1u64..200, index in any::<prop::sample::Index>(), change in 0u8..4, at in any::<prop::sample::Index>()) {
        let log = Log::of(size);
        let index = index.index(usize::try_from(size).unwrap());
        let (head, leaf, index) = (log.head(size), log.entries[index], index as u64);
        let mut path = log.prove(&Plan::inclusion(index, size).unwrap());
        prop_assert_eq!(head.check_inclusion(leaf, index, &path), Ok(()));
        for other in (0..size).filter(|other| *other != index) {
            prop_assert!(head.check_inclusion(leaf, other, &path).is_err());
        }
        let old = log.head(index + 1);
        let mut growth = log.consistency(index + 1, size);
        for path in [&mut path, &mut growth] {
            match change {
                0 if !path.is_empty() => drop(path.pop()),
                1 if !path.is_empty() => { let n = at.index(path.len()); path[n].0[31] ^= 1; }
                2 if path.len() > 1 => path.reverse(),
                _ => path.push(leaf),
            }
        }
        prop_assert!(head.check_inclusion(leaf, index, &path).is_err());
        prop_assert!(head.check_extends(&old, &growth).is_err());
        prop_assert!(head.check_inclusion(Hash::of_nothing(), index, &path).is_err());
    }
}
