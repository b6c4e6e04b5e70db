#include <doctest/doctest.h>
#include <string>
#include <vector>
