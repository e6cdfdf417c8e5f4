use super::*;
use expect_test::expect;

#[track_caller]
fn holds(text: &str, minutes: &[u64], weekdays: &[u64]) {
    let Ok(Schedule::Fields(fields)) = parse(text) else { panic!("{text}: {:?}", parse(text)) };
    let bits = |values: &[u64]| values.iter().fold(0, |bits, value| bits | 1 << value);
    assert_eq!((fields.minutes, fields.weekdays), (bits(minutes), bits(weekdays)), "{text}");
}

#[test]
fn fields_hold_what_cron_says() {
    let all = [0, 1, 2, 3, 4, 5, 6];
    holds("5 * * * *", &[5], &all);
    holds("0,30 * * * ?", &[0, 30], &all);
    holds("*/20 * * * mon-wed", &[0, 20, 40], &[1, 2, 3]);
    holds("50/4 * * * SUN", &[50, 54, 58], &[0]);
    holds("10-20/5 * * * 1,3-5", &[10, 15, 20], &[1, 3, 4, 5]);
    holds("@hourly", &[0], &all);
    holds("@weekly", &[0], &[0]);
    assert_eq!(parse("@every 1h30m"), Ok(Schedule::Every { seconds: 5400 }));
    assert_eq!(parse("@every 1.5s"), Ok(Schedule::Every { seconds: 1 }));
    assert_eq!(parse("@every 1ms"), Ok(Schedule::Every { seconds: 1 }));
    let Ok(Schedule::Fields(fields)) = parse("0 0 1 * */2") else { panic!("it parses") };
    assert_eq!((fields.any_day, fields.any_weekday), (false, false));
    assert_eq!(parse("CRON_TZ=Europe/Paris 5 * * * *"), parse("5 * * * *"));
}

#[test]
fn mistakes_are_told_in_upstreams_words() {
    let mistakes = [
        "",
        "*",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "5-1 * * * *",
        "1-2-3 * * * *",
        "1/2/3 * * * *",
        "*/0 * * * *",
        "a * * * *",
        "-1 * * * *",
        "* * * foo *",
        "@never",
        "@every",
        "@every x",
        "@every 5",
        "@every 5y",
        "TZ=Nowhere * * * * *",
        "99999999999999999999 * * * *",
    ];
    let told: String = mistakes.iter().map(|text| format!("{text}: {}\n", parse(text).expect_err(text))).collect();
    expect![[r#"
        : empty spec string
        *: expected exactly 5 fields, found 1: [*]
        * * * * * *: expected exactly 5 fields, found 6: [* * * * * *]
        60 * * * *: end of range (60) above maximum (59): 60
        * 24 * * *: end of range (24) above maximum (23): 24
        * * 0 * *: beginning of range (0) below minimum (1): 0
        * * * 13 *: end of range (13) above maximum (12): 13
        * * * * 7: end of range (7) above maximum (6): 7
        5-1 * * * *: beginning of range (5) beyond end of range (1): 5-1
        1-2-3 * * * *: too many hyphens: 1-2-3
        1/2/3 * * * *: too many slashes: 1/2/3
        */0 * * * *: step of range should be a positive number: */0
        a * * * *: failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax
        -1 * * * *: failed to parse int from : strconv.Atoi: parsing "": invalid syntax
        * * * foo *: failed to parse int from foo: strconv.Atoi: parsing "foo": invalid syntax
        @never: unrecognized descriptor: @never
        @every: unrecognized descriptor: @every
        @every x: failed to parse duration @every x: time: invalid duration "x"
        @every 5: failed to parse duration @every 5: time: missing unit in duration "5"
        @every 5y: failed to parse duration @every 5y: time: unknown unit "y" in duration "5y"
        TZ=Nowhere * * * * *: provided bad location Nowhere: unknown time zone Nowhere
        99999999999999999999 * * * *: failed to parse int from 99999999999999999999: strconv.Atoi: parsing "99999999999999999999": value out of range
    "#]].assert_eq(&told);
}

#[test]
fn any_bytes_are_parsed_or_refused() {
    for bytes in ["", "* * * * *", "@every 9999999h", "TZ=", "TZ=UTC", "1-/ , - * *", "\u{fffd}"] {
        fuzz(bytes.as_bytes());
    }
}
