//! Regions: what they are called, and where they are.

use super::names::{PROSE_FORM, prose};
use super::table::{Breaches, Row};
use crate::model::Region;
use std::collections::HashMap;

pub(super) const COLUMNS: &[&str; 6] = &["region", "name", "west", "south", "east", "north"];

/// A listed region.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Listed {
    name: Box<str>,
    bounds: Option<Bounds>,
}

/// A box around it, in millionths of a degree, its edges included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Bounds {
    west: i32,
    south: i32,
    east: i32,
    north: i32,
}

impl Bounds {
    fn has(&self, east: i32, north: i32) -> bool {
        (self.west..=self.east).contains(&east) && (self.south..=self.north).contains(&north)
    }

    fn size(&self) -> i64 {
        i64::from(self.east - self.west) * i64::from(self.north - self.south)
    }
}

/// All of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Regions(HashMap<Region, Listed>);

impl Regions {
    pub(super) fn has(&self, region: Region) -> bool {
        self.0.contains_key(&region)
    }

    pub(super) fn name(&self, region: Region) -> Option<&str> {
        self.0.get(&region).map(|listed| &*listed.name)
    }

    /// The region that a text names; of several the one with the longest name.
    pub(super) fn named_in(&self, text: &str) -> Option<Region> {
        let text = text.to_lowercase();
        let named = self.0.iter().filter(|(_, listed)| text.contains(&listed.name.to_lowercase()));
        named.max_by_key(|(region, listed)| (listed.name.len(), **region)).map(|(region, _)| *region)
    }

    /// The region around a place; of several the smallest.
    pub(super) fn at(&self, east: i32, north: i32) -> Option<Region> {
        let around = self.0.iter().filter_map(|(region, listed)| Some((listed.bounds?, *region)));
        let around = around.filter(|(bounds, _)| bounds.has(east, north));
        around.min_by_key(|(bounds, region)| (bounds.size(), *region)).map(|(_, region)| region)
    }

    pub(super) fn add<const N: usize>(&mut self, row: &Row<'_, N>, breaches: &mut Breaches) {
        let region = row.required("region", "4 digits", |text| Region::parse(text.as_bytes()), breaches);
        let name = row.required("name", PROSE_FORM, prose, breaches).map(Box::<str>::from);
        let mut degrees = |column: &str, most: i32| {
            let form = format!("degrees from -{most} to {most}, as 116.3975");
            row.optional(column, &form, |text| millionths(text, most), breaches)
        };
        let edges = [degrees("west", 180), degrees("south", 90), degrees("east", 180), degrees("north", 90)];
        let bounds = match edges {
            [Some(west), Some(south), Some(east), Some(north)] if west < east && south < north => {
                Some(Bounds { west, south, east, north })
            }
            [None, None, None, None] => None,
            _ => {
                breaches.add(
                    row.file(),
                    row.line(),
                    "west, south, east, north: all of them, west before east, south before north",
                );
                None
            }
        };
        let (Some(region), Some(name)) = (region, name) else { return };
        if self.0.insert(region, Listed { name, bounds }).is_some() {
            row.breach("region", format!("region {region} is listed twice"), breaches);
        }
    }
}

/// Degrees with up to six decimals.
fn millionths(text: &str, most: i32) -> Option<i32> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str, most| text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole, 3) || !is_number(part, 6) {
        return None;
    }
    let value = whole.parse::<i32>().ok()? * 1_000_000 + format!("{part:0<6}").parse::<i32>().ok()?;
    (value <= most * 1_000_000).then_some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::super::table::{Source, rows};
    use super::*;

    fn read(text: &str) -> (Regions, Vec<String>) {
        let (mut regions, mut breaches) = (Regions::default(), Breaches::default());
        let source = Source { file: "regions.csv", text };
        rows(source, "region", COLUMNS, &mut breaches, |row, breaches| regions.add(row, breaches));
        (regions, breaches.into_inner().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_region_is_found_by_its_name_and_by_a_place_in_it() {
        let (regions, breaches) = read(
            "region,name,west,south,east,north\n1000,China,73,18,135,54\n1100,Beijing,115.4,39.4,117.6,41.1\n2900,上海,,,,\n",
        );
        assert_eq!(breaches, Vec::<String>::new());
        let of = |code: &[u8]| Region::parse(code);
        assert_eq!(regions.named_in("Demo shop BEIJING CN"), of(b"1100"));
        assert_eq!(regions.named_in("示范商店 上海市"), of(b"2900"));
        assert_eq!(regions.named_in("nowhere"), None);
        assert_eq!(regions.at(116_397_500, 39_908_700), of(b"1100"), "the smaller of two");
        assert_eq!(regions.at(121_473_700, 31_230_400), of(b"1000"));
        assert_eq!(regions.at(0, 0), None);
    }

    #[test]
    fn half_a_box_and_a_box_inside_out_are_refused_with_their_line() {
        let (_, breaches) = read(
            "region,name,west,south,east,north\n1100,Beijing,115.4,39.4,117.6,\n2900,Shanghai,122,30,120,32\n3000,Mars,1x,0,2,2\n",
        );
        assert_eq!(breaches.len(), 4, "{breaches:?}");
        assert!(breaches.iter().all(|breach| breach.starts_with("regions.csv:")), "{breaches:?}");
    }
}
