// SPDX-License-Identifier: MIT
// Input of the recordings of rustc: a few collections, so that their generic code is compiled.

use std::collections::{BTreeMap, HashMap};

fn main() {
    let mut numbers: HashMap<String, Vec<u32>> = HashMap::new();
    for number in 0..100u32 {
        numbers.entry(format!("k{}", number % 7)).or_default().push(number);
    }
    let sums: BTreeMap<_, _> =
        numbers.iter().map(|(key, each)| (key.clone(), each.iter().sum::<u32>())).collect();
    println!("{sums:?}");
}
