# Values as TOML: what Nix itself reads back is what was written.
{ lib }:
let
  toTOML = import ../lib/toml.nix { inherit lib; };

  isReadBack = document: {
    expr = builtins.fromTOML (toTOML document);
    expected = document;
  };
in
{
  testNothing = isReadBack { };

  testPlainValues = isReadBack {
    text = "two\nlines\t\"quoted\" \\ \${not} ä€😀";
    delete = builtins.fromJSON ''"a\u007fb\u001f"'';
    number = -9223372036854775807;
    truth = true;
    list = [
      "a"
      "b"
    ];
    empty = [ ];
    nested = [
      [ 1 ]
      [
        2
        3
      ]
    ];
  };

  testKeysThatNeedQuotes = isReadBack {
    "a b" = 1;
    "" = 2;
    "x.y" = {
      "\"" = "z";
    };
    plain-key_1 = true;
  };

  testTablesComeAfterValues = {
    expr = toTOML {
      a = {
        b.c = 1;
        d = 2;
      };
      z = 3;
      e = [
        { f = 4; }
        {
          g.h = 5;
          i = [ { j = 6; } ];
        }
      ];
    };
    expected = ''
      z = 3

      [a]
      d = 2

      [a.b]
      c = 1

      [[e]]
      f = 4

      [[e]]

      [e.g]
      h = 5

      [[e.i]]
      j = 6
    '';
  };

  testTablesAreReadBack = isReadBack {
    a.b.c = { };
    d = [
      { }
      { e.f = [ { g = 1; } ]; }
    ];
    mixed = [
      1
      { h = [ { } ]; }
    ];
  };

  testNullIsRefused = {
    expr = toTOML { a = null; };
    expectedError.type = "ThrownError";
  };

  testFractionsAreRefused = {
    expr = toTOML { a = 1.5; };
    expectedError.type = "ThrownError";
  };
}
