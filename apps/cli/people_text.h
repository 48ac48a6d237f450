#pragma once
// What people said, as the terminal and a program read it.
#include <string>

#include "report/people.h"

namespace negativa::cli {

std::string line_of(const PeopleVerdict& people);  // "people: …", one line; "" where nobody rated
std::string text_of(const PeopleVerdict& people);  // all of it, a sentence a line
std::string json_of(const PeopleVerdict& people);

}  // namespace negativa::cli
