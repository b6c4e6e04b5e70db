#include "base/result.h"

namespace mcptoken {

Error::Error(Status status_in, std::string message_in) : status(status_in), message(std::move(message_in)) {}
Error::Error(const Error& other) = default;
Error::Error(Error&& other) noexcept = default;
Error& Error::operator=(const Error& other) = default;
Error& Error::operator=(Error&& other) noexcept = default;
Error::~Error() = default;

tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
tl::unexpected<Error> fail(Status status, std::string message) { return fail(Error(status, std::move(message))); }

}  // namespace mcptoken
