use super::*;

#[track_caller]
fn check(text: &str, canonical: &str, millis: i64, value: i64) {
    let quantity = Quantity::parse(text).expect(text);
    assert_eq!((quantity.canonical().as_str(), quantity.millis(), quantity.value()), (canonical, millis, value));
    assert_eq!(Quantity::parse(canonical).expect(canonical), quantity);
}

#[test]
fn quantities_are_printed_in_their_canonical_form() {
    check("0", "0", 0, 0);
    check("1", "1", 1000, 1);
    check("1000m", "1", 1000, 1);
    check("0.5", "500m", 500, 1);
    check("100m", "100m", 100, 1);
    check(".1", "100m", 100, 1);
    check("1.", "1", 1000, 1);
    check("+2", "2", 2000, 2);
    check("-1500m", "-1500m", -1500, -1);
    check("1500", "1500", 1_500_000, 1500);
    check("1000", "1k", 1_000_000, 1000);
    check("1e3", "1e3", 1_000_000, 1000);
    check("1E3", "1e3", 1_000_000, 1000);
    check("12e-1", "1200e-3", 1200, 2);
    check("1E", "1E", i64::MAX, 1_000_000_000_000_000_000);
    check("128Mi", "128Mi", 134_217_728_000, 134_217_728);
    check("1024Mi", "1Gi", 1_073_741_824_000, 1_073_741_824);
    check("1.5Gi", "1536Mi", 1_610_612_736_000, 1_610_612_736);
    check("1000Ki", "1000Ki", 1_024_000_000, 1_024_000);
    check("0.5Ki", "512", 512_000, 512);
    check("1n", "1n", 1, 1);
    check("0.1n", "1n", 1, 1);
    check("0.0000000001", "1n", 1, 1);
    check("100u", "100u", 1, 1);
    check("0.1Ki", "102400m", 102_400, 103);
    check("007", "7", 7000, 7);
}

#[test]
fn numbers_that_do_not_fit_are_capped() {
    for text in ["9Ei", "100Ei", "1e40", "99999999999999999999999999999999999999999999", "1e999999"] {
        assert_eq!(Quantity::parse(text).expect(text).value(), i64::MAX, "{text}");
    }
    assert_eq!(Quantity::parse("0e999999").expect("nought").value(), 0);
    assert_eq!(Quantity::parse("1e-999999").expect("rounds up").canonical(), "1e-9");
}

#[test]
fn what_is_no_quantity_is_refused_in_upstreams_words() {
    for text in ["", "abc", "+", "1 Gi", "1GB", "１"] {
        assert_eq!(Quantity::parse(text), Err(FORMAT_WRONG.to_owned()), "{text}");
    }
    for text in ["1.2.3", "."] {
        assert_eq!(Quantity::parse(text), Err(NUMBER_WRONG.to_owned()), "{text}");
    }
    for text in ["1mm", "1Kii", "1ee3", "1e", "1K", "1i"] {
        assert_eq!(Quantity::parse(text), Err(SUFFIX_WRONG.to_owned()), "{text}");
    }
}

#[test]
fn quantities_add_subtract_and_compare_by_value() {
    let parse = |text| Quantity::parse(text).expect("a quantity");
    assert_eq!((parse("100m") + parse("0.9")).canonical(), "1");
    assert_eq!((parse("1Gi") - parse("1Mi")).canonical(), "1023Mi");
    assert_eq!([parse("1Mi"), parse("1Mi")].into_iter().sum::<Quantity>().canonical(), "2Mi");
    assert!(parse("1") < parse("1001m"));
    assert_eq!(parse("1"), parse("1000m"));
    assert_eq!(parse("1500u").rounded_to_millis().canonical(), "2m");
    assert_eq!(Quantity::from_millis(1500).canonical(), "1500m");
    assert_eq!(Quantity::from_bytes(64 << 20).canonical(), "64Mi");
}

proptest::proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_without_a_panic(text in "[+-]?[0-9.]{0,40}[eEinumkKMGTP]{0,2}[+-]?[0-9]{0,4}") {
        fuzz(text.as_bytes());
    }
}
