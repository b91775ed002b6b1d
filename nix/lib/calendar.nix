# Calendar events in systemd's words, as far as it must be known whether one names a time zone.
{ lib }:
let
  words = text: builtins.filter (word: word != "") (lib.splitString " " text);

  shorthands = [
    "minutely"
    "hourly"
    "daily"
    "weekly"
    "monthly"
    "quarterly"
    "semiannually"
    "yearly"
    "annually"
  ];

  day = "(mon|monday|tue|tuesday|wed|wednesday|thu|thursday|fri|friday|sat|saturday|sun|sunday)";
  days = "${day}((\\.\\.|-)${day})?";

  isDays = word: builtins.match "${days}(,${days})*,?" word != null;

  namesAZone =
    event:
    let
      last = lib.last (words event);
      lower = lib.toLower last;
    in
    builtins.match "[A-Za-z].*" last != null && !(builtins.elem lower shorthands) && !(isDays lower);
in
{
  inherit namesAZone;

  # An event with the time zone that it is meant in, if it is not the machine's.
  inZone = zone: event: if zone == null || namesAZone event then event else "${event} ${zone}";
}
